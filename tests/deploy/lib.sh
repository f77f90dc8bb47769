# Shared by the tests of this folder. They need root, and keep what takes minutes in $cache:
#   base.tar   a minimal Debian 12 (debootstrap), the base of images
#   machine/   the same with systemd and the runtime packages, for systemd-nspawn
#   storage/   buildah's images
# Remove the folder to start over.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/tests/not_run.sh"
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/talkjsd/debian-12
bin=${TALKJSD_BIN:-$root/build/release/bin}

fail() { echo "FAILED: $*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || not_run "needs root"

need() {  # command...: all of them exist
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null || not_run "$command is not installed (deploy/install-packages test)"
  done
}

# wait_for SECONDS command...: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}
