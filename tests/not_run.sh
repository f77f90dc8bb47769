# For test scripts: `not_run "why"` ends a test that this machine cannot run. The reason is printed
# and kept for tests/run, which repeats it before the summary. In CI (CI=true) nothing may be left
# out: there it is a failure. 77 is what CMake is told to count as skipped.
not_run() {
  echo "NOT RUN: $*"
  if [ -n "${TALKJSD_NOT_RUN_LOG:-}" ]; then
    echo "NOT RUN: ${TALKJSD_TEST_NAME:-$(basename "$0")}: $*" >>"$TALKJSD_NOT_RUN_LOG"
  fi
  [ "${CI:-}" != true ] || exit 1
  exit 77
}
