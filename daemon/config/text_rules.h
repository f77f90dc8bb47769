// What the values of keys that are text must look like.
#ifndef TALKJSD_CONFIG_TEXT_RULES_H_
#define TALKJSD_CONFIG_TEXT_RULES_H_

#include <google/protobuf/descriptor.h>

#include <string>

namespace talkjsd::config {

// What is wrong with the text as the field's value, as "must be ..."; empty: nothing.
std::string CheckText(const google::protobuf::FieldDescriptor& field, const std::string& text);

bool IsUnixAddress(const std::string& address);
// Of "host:port" as a listener takes it; the host may be "localhost".
bool IsLoopbackAddress(const std::string& address);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_TEXT_RULES_H_
