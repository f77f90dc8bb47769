# For test scripts, after not_run.sh: installs the packages that package-lock.json pins, or ends the test as not run.
_sdk=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v npm >/dev/null || not_run "npm is not installed (deploy/install-packages test)"
# Tests run side by side; one of them installs.
exec 9>"${TMPDIR:-/tmp}/talkjsd-sdk-npm.lock"
flock 9
if ! cmp -s "$_sdk/package-lock.json" "$_sdk/node_modules/.installed-lock.json"; then
  _said=$(cd "$_sdk" && npm ci --no-progress --loglevel=error 2>&1) ||
    not_run "npm ci in tests/sdk failed: $(head -n 3 <<<"$_said")"
  cp "$_sdk/package-lock.json" "$_sdk/node_modules/.installed-lock.json"
fi
exec 9>&-
