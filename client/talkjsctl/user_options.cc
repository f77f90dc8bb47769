#include "client/talkjsctl/user_options.h"

#include <CLI/CLI.hpp>

namespace talkjsd::talkjsctl {

namespace v1 = talkjs::sidecar::v1;

CLI::Option* AddText(CLI::App& command, const std::string& name, std::optional<std::string>& value,
                     const std::string& description) {
  return command
      .add_option_function<std::string>(
          name, [&value](const std::string& given) { value = given; }, description)
      ->type_name("TEXT");
}

void AddCustomOptions(CLI::App& command, CustomOptions& options) {
  command.add_option("--custom", options.values, "A custom value to write; may be repeated")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  command
      .add_option("--delete-custom", options.deleted_keys,
                  "A key of the custom data to delete; may be repeated")
      ->allow_extra_args(false)
      ->type_name("KEY");
}

void AddNullOption(CLI::App& command, std::vector<std::string>& null_fields,
                   const std::string& fields) {
  command
      .add_option("--null", null_fields,
                  "A field to reset to TalkJS's default: " + fields + "; may be repeated")
      ->allow_extra_args(false)
      ->type_name("FIELD");
}

void AddUserOptions(CLI::App& command, UserOptions& options) {
  AddText(command, "--role", options.role, "The user's role");
  AddText(command, "--locale", options.locale, "The user's language, such as en-US");
  AddText(command, "--photo-url", options.photo_url, "The user's picture");
  AddText(command, "--welcome-message", options.welcome_message,
          "Text for those who open a chat with the user");
  AddText(command, "--availability-text", options.availability_text,
          "Kept by the daemon: TalkJS has no place for it");
  command.add_option("--email", options.email, "An address of the user; may be repeated")
      ->allow_extra_args(false);
  command.add_option("--phone", options.phone, "A number of the user; may be repeated")
      ->allow_extra_args(false);
  AddCustomOptions(command, options.custom);
  AddNullOption(command, options.null_fields,
                "custom, locale, photo_url, role, welcome_message, availability_text, email, "
                "phone");
}

std::string FillCustom(const CustomOptions& options, v1::CustomUpdate* custom) {
  for (const std::string& given : options.values) {
    const size_t equals = given.find('=');
    if (equals == std::string::npos || equals == 0) return "--custom takes KEY=VALUE";
    (*custom->mutable_values())[given.substr(0, equals)] = given.substr(equals + 1);
  }
  for (const std::string& key : options.deleted_keys) custom->add_deleted_keys(key);
  return "";
}

std::string FillUser(const std::string& id, const UserOptions& options, v1::UserAttributes* user) {
  user->set_id(id);
  if (options.name.has_value()) user->set_name(*options.name);
  if (options.role.has_value()) user->set_role(*options.role);
  if (options.locale.has_value()) user->set_locale(*options.locale);
  if (options.photo_url.has_value()) user->set_photo_url(*options.photo_url);
  if (options.welcome_message.has_value()) user->set_welcome_message(*options.welcome_message);
  if (options.availability_text.has_value()) {
    user->set_availability_text(*options.availability_text);
  }
  for (const std::string& address : options.email) user->mutable_email()->add_values(address);
  for (const std::string& number : options.phone) user->mutable_phone()->add_values(number);
  for (const std::string& field : options.null_fields) user->add_null_fields(field);
  if (options.custom.values.empty() && options.custom.deleted_keys.empty()) return "";
  return FillCustom(options.custom, user->mutable_custom());
}

}  // namespace talkjsd::talkjsctl
