#include "client/talkjsctl/emulator_http.h"

#include <curl/curl.h>
#include <google/protobuf/util/json_util.h>

#include <cstdlib>
#include <memory>

namespace talkjsd::talkjsctl {
namespace {

constexpr char kDefaultAddress[] = "127.0.0.1:7070";

size_t Append(char* data, size_t size, size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

std::string TextOf(const google::protobuf::Struct& object, const char* name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? "" : found->second.string_value();
}

void ReadRefusal(long status, ControlAnswer& answer) {
  answer.code = TextOf(answer.json, "errorCode");
  const auto reasons = answer.json.fields().find("reasons");
  if (reasons != answer.json.fields().end()) {
    for (const auto& reason : reasons->second.list_value().values()) {
      if (!answer.message.empty()) answer.message.append("; ");
      answer.message.append(reason.string_value());
    }
  }
  if (!answer.code.empty()) return;
  answer.code.append("HTTP ").append(std::to_string(status));
  answer.message.append("that is not an emulator's control endpoint; is the address right?");
}

}  // namespace

std::string EmulatorAddress(const std::string& given) {
  if (!given.empty()) return given;
  const char* host = std::getenv("TALKJS_HOST");
  return host != nullptr && *host != '\0' ? host : kDefaultAddress;
}

ControlAnswer CallControl(const std::string& address, const std::string& method,
                          const std::string& path, const std::string& body,
                          std::chrono::milliseconds timeout) {
  ControlAnswer answer;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  // Without "Expect", which would make a large body wait for leave to come.
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/json"), "Expect:"),
      curl_slist_free_all);
  const std::string url = "http://" + address + "/_emulator/v1/" + path;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http");
  // The emulator is on this machine, or near it.
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  if (!body.empty()) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.data());
  }
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.text);
  const CURLcode result = curl_easy_perform(curl.get());
  if (result != CURLE_OK) {
    answer.unreachable = true;
    answer.code = "UNREACHABLE";
    answer.message = "no emulator answers at " + address + ": " + curl_easy_strerror(result) +
                     "; start one with talkjs-emulator, or name it with --emulator HOST:PORT";
    return answer;
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  const bool is_object =
      google::protobuf::util::JsonStringToMessage(answer.text, &answer.json).ok();
  answer.ok = status == 200 && is_object;
  if (!answer.ok) ReadRefusal(status, answer);
  return answer;
}

std::string ToJsonText(const google::protobuf::Struct& object) {
  std::string text;
  // A Struct always has a JSON form.
  static_cast<void>(google::protobuf::util::MessageToJsonString(object, &text));
  return text;
}

std::string Show(const google::protobuf::Value& value) {
  if (value.kind_case() == google::protobuf::Value::kStringValue) return value.string_value();
  std::string text;
  static_cast<void>(google::protobuf::util::MessageToJsonString(value, &text));
  return text;
}

}  // namespace talkjsd::talkjsctl
