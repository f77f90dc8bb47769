# All from Debian 12 packages; tests/run and deploy/quickstart install them (deploy/packages.txt).
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS headers)
find_package(OpenSSL 3 REQUIRED)
find_package(CURL REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark CONFIG REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
find_path(CLI11_INCLUDE CLI/CLI.hpp REQUIRED)

# Boost.JSON is used header-only (one translation unit includes boost/json/src.hpp), Asio and Beast too.
add_library(talkjsd_boost INTERFACE)
target_link_libraries(talkjsd_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(talkjsd_boost INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE BOOST_JSON_STANDALONE=0
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
