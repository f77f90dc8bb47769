#include "client/talkjsctl/push_input.h"

#include "client/talkjsctl/secret_input.h"

namespace talkjsd::talkjsctl {

std::string ReadPushDevice(const std::string& provider, const std::string& file, bool* given,
                           v1::PushRegistration* device) {
  *given = !provider.empty();
  if (provider.empty() != file.empty()) {
    return "--provider and --registration-id-file belong together";
  }
  if (!*given) return "";
  device->set_provider(provider == "apns" ? v1::PUSH_PROVIDER_APNS : v1::PUSH_PROVIDER_FCM);
  std::string content;
  const std::string complaint = ReadInput(file, &content);
  if (!complaint.empty()) return "--registration-id-file: " + complaint;
  const size_t begin = content.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "--registration-id-file: there is nothing in it";
  const size_t end = content.find_last_not_of(" \t\r\n");
  device->set_push_registration_id(content.substr(begin, end - begin + 1));
  return "";
}

}  // namespace talkjsd::talkjsctl
