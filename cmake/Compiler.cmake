# Language, warnings, sanitizers, ccache: everything that is the same for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(TALKJSD_SANITIZE "" CACHE STRING "Value for -fsanitize=, or empty")
option(TALKJSD_PCH "Use precompiled headers" ON)
option(TALKJSD_UNITY "Compile the files of a target several at a time: half the time for all, more after a change" OFF)

# -O1 keeps a debug build quick to compile while Asio and gRPC stay usable under the sanitizers.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Precompiled headers hit the cache only with these sloppiness settings (ccache manual, "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
      "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" ${CCACHE_PROGRAM})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()

add_compile_options(-fno-omit-frame-pointer)
if(TALKJSD_SANITIZE)
  add_compile_options(-fsanitize=${TALKJSD_SANITIZE} -fno-sanitize-recover=all)
  if(TALKJSD_SANITIZE MATCHES "undefined")
    # Two checks at every use of a pointer: a quarter of the time to compile. AddressSanitizer stops at a null pointer too.
    add_compile_options(-fno-sanitize=null,alignment)
  endif()
  add_link_options(-fsanitize=${TALKJSD_SANITIZE})
endif()
if(TALKJSD_SANITIZE MATCHES "thread")
  # GCC warns that TSan does not model atomic_thread_fence, which Asio uses; the code that relies on one is not ours.
  add_compile_options(-Wno-tsan)
  # Debian's protobuf and Abseil are not built for it, and their headers change the layout of classes when they see
  # that the includer is. libstdc++'s headers are meant to know.
  add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
endif()

# Warnings for our own targets only: generated and third-party code is included as SYSTEM.
add_library(talkjsd_warnings INTERFACE)
target_compile_options(talkjsd_warnings INTERFACE
  -Wall -Wextra -Werror -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers)

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # What is built is built by GCC; this one comes for libFuzzer.
  target_compile_options(talkjsd_warnings INTERFACE -Wno-error)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees uninitialised members in moved std::variant and absl::StatusOr where there are none; the sanitizer
  # builds and clang-tidy look for the real ones.
  target_compile_options(talkjsd_warnings INTERFACE -Wno-maybe-uninitialized)
endif()

# For targets that are not what a sanitizer looks for, but that share an address space with it: addresses (or threads)
# are still checked. Templates of GoogleTest and CLI11 take most of a sanitizer's compile time otherwise.
function(talkjsd_lightly_sanitized target)
  if(TALKJSD_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
  if(TALKJSD_SANITIZE MATCHES "undefined")
    target_compile_options(${target} PRIVATE -fno-sanitize=undefined)
  endif()
endfunction()

# What TALKJSD_UNITY applies to: files whose names in anonymous namespaces differ from those of their neighbours. ALWAYS:
# where most of each file is the same template-heavy header.
function(talkjsd_unity target)
  if(TALKJSD_UNITY OR "ALWAYS" IN_LIST ARGN)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    # A type of an anonymous namespace in a .cc file's own class is a mistake only where the file is a header.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()
