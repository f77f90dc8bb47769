# Writes a C++ header that holds a file: cmake -DINPUT=... -DOUTPUT=... -DNAME=kThing -P EmbedFile.cmake
file(READ "${INPUT}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
get_filename_component(source "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "// Made from ${source}.
#pragma once
#include <string_view>
namespace talkjsd {
inline constexpr unsigned char ${NAME}Bytes[] = {
${bytes}};
inline const std::string_view ${NAME}(reinterpret_cast<const char*>(${NAME}Bytes), sizeof(${NAME}Bytes));
}  // namespace talkjsd
")
