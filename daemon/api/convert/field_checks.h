// Checks of single fields against the limits that the protos state. Each adds what it finds to
// `errors`; `field` is the path that the client sees: "user.name".
#ifndef TALKJSD_API_CONVERT_FIELD_CHECKS_H_
#define TALKJSD_API_CONVERT_FIELD_CHECKS_H_

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "daemon/api/errors.h"
#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::api {

using CustomData = google::protobuf::Map<std::string, std::string>;
using Strings = google::protobuf::RepeatedPtrField<std::string>;

// "parent.field" and "field[index]".
std::string Path(std::string_view parent, std::string_view field);
std::string Element(std::string_view field, int index);

void CheckSize(std::string_view field, std::string_view value, size_t min, size_t max,
               FieldErrors& errors);
void CheckCount(std::string_view field, size_t count, size_t max, FieldErrors& errors);
// Of a user, conversation or message.
void CheckId(std::string_view field, std::string_view value, FieldErrors& errors);
void CheckAppId(std::string_view field, std::string_view value, FieldErrors& errors);
void CheckSessionId(std::string_view field, std::string_view value, FieldErrors& errors);
void CheckUrl(std::string_view field, std::string_view url, FieldErrors& errors);
void CheckLocale(std::string_view field, std::string_view tag, FieldErrors& errors);
void CheckTime(std::string_view field, const google::protobuf::Timestamp& time,
               FieldErrors& errors);
void CheckCustomData(std::string_view field, const CustomData& custom, FieldErrors& errors);
void CheckCustomUpdate(std::string_view field, const talkjs::sidecar::v1::CustomUpdate& custom,
                       FieldErrors& errors);
void CheckUserAttributes(std::string_view field, const talkjs::sidecar::v1::UserAttributes& user,
                         FieldErrors& errors);
void CheckPushRegistration(std::string_view field,
                           const talkjs::sidecar::v1::PushRegistration& registration,
                           FieldErrors& errors);
// page_size and page_token of a list.
void CheckPage(int32_t page_size, int default_size, std::string_view page_token,
               FieldErrors& errors);

// Each of `null_fields` is one of `nullable`, and not set.
struct Nullable {
  std::string_view name;
  bool is_set;
};
void CheckNullFields(std::string_view field, const Strings& null_fields,
                     std::initializer_list<Nullable> nullable, FieldErrors& errors);

// Code points of a valid UTF-8 text.
size_t CountCharacters(std::string_view utf8);

inline constexpr int32_t kMaxNanos = 999'999'999;

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CONVERT_FIELD_CHECKS_H_
