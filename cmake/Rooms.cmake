# A room is one folder and one static library: talkjsd_room(wire DEPS base PACKAGES OpenSSL::Crypto).
# DEPS names the only rooms whose symbols it may use, so a wrong include does not link;
# tests/lint/check_imports.py rejects the include itself.
function(talkjsd_room name)
  cmake_parse_arguments(ARG "" "FOLDER;PCH" "DEPS;PACKAGES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc")
  list(FILTER sources EXCLUDE REGEX "_main\\.cc$")
  add_library(talkjsd_${name} STATIC ${sources})
  target_include_directories(talkjsd_${name} PUBLIC "${CMAKE_SOURCE_DIR}")
  list(TRANSFORM ARG_DEPS PREPEND talkjsd_)
  target_link_libraries(talkjsd_${name} PUBLIC ${ARG_DEPS} ${ARG_PACKAGES} PRIVATE talkjsd_warnings)
  if(TALKJSD_PCH AND ARG_PCH)
    target_precompile_headers(talkjsd_${name} PRIVATE ${ARG_PCH})
  endif()
  talkjsd_unity(talkjsd_${name})
endfunction()

# A unit-test program of one room: tests/unit/<name>/*_test.cc.
function(talkjsd_unit_test name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc")
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_link_libraries(${name}_test PRIVATE ${ARG_DEPS} GTest::gtest_main GTest::gmock talkjsd_warnings)
  target_compile_definitions(${name}_test PRIVATE TALKJSD_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
  talkjsd_lightly_sanitized(${name}_test)
  talkjsd_unity(${name}_test)
  # A sanitizer on a busy machine takes ten times as long.
  talkjsd_test(unit/${name} TIMEOUT 240 COMMAND ${name}_test --gtest_brief=1)
endfunction()
