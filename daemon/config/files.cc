#include <google/protobuf/message.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "daemon/config/field.h"
#include "daemon/config/rules.h"

namespace talkjsd::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// What is wrong with the file; empty: nothing.
std::string CheckFile(const std::string& path, bool is_key) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return path + ": " + std::strerror(errno);
  if (!S_ISREG(info.st_mode)) return path + " is not a file";
  std::ifstream file(path);
  if (!file) return path + ": " + std::strerror(errno);
  if (file.peek() == std::ifstream::traits_type::eof()) return path + " is empty";
  if (is_key && (info.st_mode & 0007U) != 0) {
    return path + " can be read or written by everybody; chmod o= it";
  }
  return "";
}

void CheckMessage(const Message& message, const std::string& prefix, const Places& places,
                  Problems* problems) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string key = prefix + field->name();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && field->is_repeated()) {
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        CheckMessage(reflection.GetRepeatedMessage(message, field, i),
                     key + "[" + std::to_string(i) + "].", places, problems);
      }
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CheckMessage(reflection.GetMessage(message, field), key + ".", places, problems);
    } else if (field->name().ends_with("_file")) {
      const std::string problem =
          CheckFile(reflection.GetString(message, field), field->name() == "key_file");
      if (!problem.empty()) problems->Add(places.Find(key), key, problem);
    }
  }
}

}  // namespace

void CheckFiles(const talkjs::sidecar::config::v1::Config& values, const Places& places,
                Problems* problems) {
  CheckMessage(values, "", places, problems);
}

}  // namespace talkjsd::config
