// Attributes of users and conversations on the command line.
#ifndef TALKJSD_TALKJSCTL_USER_OPTIONS_H_
#define TALKJSD_TALKJSCTL_USER_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "talkjs/sidecar/v1/types.pb.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace talkjsd::talkjsctl {

struct CustomOptions {
  std::vector<std::string> values;  // KEY=VALUE
  std::vector<std::string> deleted_keys;
};

// What is not given stays as it is.
struct UserOptions {
  std::optional<std::string> name;
  std::optional<std::string> role;
  std::optional<std::string> locale;
  std::optional<std::string> photo_url;
  std::optional<std::string> welcome_message;
  std::optional<std::string> availability_text;
  std::vector<std::string> email;
  std::vector<std::string> phone;
  CustomOptions custom;
  std::vector<std::string> null_fields;
};

// An option whose empty value is a value.
CLI::Option* AddText(CLI::App& command, const std::string& name, std::optional<std::string>& value,
                     const std::string& description);
void AddCustomOptions(CLI::App& command, CustomOptions& options);
// `fields`: the names that --null takes.
void AddNullOption(CLI::App& command, std::vector<std::string>& null_fields,
                   const std::string& fields);
void AddUserOptions(CLI::App& command, UserOptions& options);

// Each returns an empty string, or the complaint for a person.
std::string FillCustom(const CustomOptions& options, talkjs::sidecar::v1::CustomUpdate* custom);
std::string FillUser(const std::string& id, const UserOptions& options,
                     talkjs::sidecar::v1::UserAttributes* user);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_USER_OPTIONS_H_
