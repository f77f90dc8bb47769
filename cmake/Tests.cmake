# One way to register a test, so that every build tree can run it:
#
#   talkjsd_test(integration/chat [LABEL integration] [TIMEOUT 120] [SERIAL] [PLAIN_ONLY] COMMAND ...)
#
# In a sanitizer's tree the test is called asan/integration/chat, so that one ctest run (tests/run)
# can hold several trees. A test finds the programs of its tree in $TALKJSD_BIN. SERIAL: it measures,
# nothing may run beside it. PLAIN_ONLY: not in a sanitizer's tree. Exit code 77 = not run (see
# tests/not_run.sh). The default LABEL is the name's first part.
set(TALKJSD_TEST_TREE "")
if(TALKJSD_SANITIZE MATCHES "address")
  set(TALKJSD_TEST_TREE "asan/")
elseif(TALKJSD_SANITIZE MATCHES "thread")
  set(TALKJSD_TEST_TREE "tsan/")
endif()

set(talkjsd_test_environment
  "TALKJSD_BIN=${CMAKE_BINARY_DIR}/bin"
  "TALKJSD_SANITIZE=${TALKJSD_SANITIZE}"
  "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "LSAN_OPTIONS=print_suppressions=0"
  "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp:print_suppressions=0:history_size=4")

function(talkjsd_test name)
  cmake_parse_arguments(ARG "SERIAL;PLAIN_ONLY" "LABEL;TIMEOUT" "COMMAND" ${ARGN})
  if(ARG_PLAIN_ONLY AND TALKJSD_SANITIZE)
    return()
  endif()
  if(NOT ARG_LABEL)
    string(REGEX REPLACE "/.*" "" ARG_LABEL "${name}")
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  set(full "${TALKJSD_TEST_TREE}${name}")
  add_test(NAME ${full} COMMAND ${ARG_COMMAND})
  set_tests_properties(${full} PROPERTIES
    LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "TALKJSD_TEST_NAME=${full};${talkjsd_test_environment}")
  if(ARG_SERIAL)
    set_tests_properties(${full} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
