// One HTTP call of an emulator's control endpoint.
#include <curl/curl.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cstdlib>
#include <iostream>
#include <memory>

#include "client/talkjsctl/emulator_commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

constexpr char kDefaultAddress[] = "127.0.0.1:7070";
constexpr long kConnectTimeoutMillis = 3000;

std::string AddressOf(const EmulatorOptions& options) {
  if (!options.address.empty()) return options.address;
  const char* variable = std::getenv("TALKJS_HOST");
  return variable != nullptr && *variable != '\0' ? variable : kDefaultAddress;
}

size_t Append(char* data, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

// The first of an error's reasons, or the body as it is.
std::string ReasonIn(const std::string& body) {
  google::protobuf::Struct error;
  if (!google::protobuf::util::JsonStringToMessage(body, &error).ok()) return body;
  const auto& fields = error.fields();
  const auto reasons = fields.find("reasons");
  if (reasons == fields.end() || reasons->second.list_value().values().empty()) return body;
  return reasons->second.list_value().values(0).string_value();
}

int Complain(int code, const std::string& message) {
  std::cerr << "talkjsctl: " << Escape(message) << "\n";
  return code;
}

}  // namespace

int CallEmulator(const GlobalOptions& global, const EmulatorOptions& options,
                 const std::string& method, const std::string& path, const std::string& body,
                 std::string* answer) {
  const std::string address = AddressOf(options);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  const std::string url = "http://" + address + "/_emulator/v1/" + path;
  CURL* const handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMillis);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(global.timeout_seconds * 1000));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, answer);
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  if (!body.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
  }
  answer->clear();
  const CURLcode code = curl_easy_perform(handle);
  curl_slist_free_all(headers);
  if (code != CURLE_OK) {
    return Complain(kExitUnreachable, "no emulator answers at " + address + " (" +
                                          curl_easy_strerror(code) +
                                          "); start talkjs-emulator, or give --emulator HOST:PORT");
  }
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status == 200) return kExitOk;
  return Complain(kExitRefused, "the emulator at " + address + " refused with " +
                                    std::to_string(status) + ": " + ReasonIn(*answer));
}

}  // namespace talkjsd::talkjsctl
