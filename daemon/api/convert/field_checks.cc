#include "daemon/api/convert/field_checks.h"

#include <algorithm>

#include "daemon/api/limits.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

// The first and the last second of a google.protobuf.Timestamp: years 1 and 9999.
constexpr int64_t kFirstSecond = -62'135'596'800;
constexpr int64_t kLastSecond = 253'402'300'799;

bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Well-formed enough: subtags of 1 to 8 letters and digits, the first of letters.
bool IsLanguageTag(std::string_view tag) {
  bool first = true;
  while (true) {
    const size_t end = tag.find('-');
    const std::string_view subtag = tag.substr(0, end);
    if (subtag.empty() || subtag.size() > 8) return false;
    const auto allowed = [first](char c) { return IsLetter(c) || (!first && IsDigit(c)); };
    if (!std::all_of(subtag.begin(), subtag.end(), allowed)) return false;
    if (end == std::string_view::npos) return true;
    tag.remove_prefix(end + 1);
    first = false;
  }
}

void CheckContacts(std::string_view field, const v1::StringList& list, size_t max_bytes,
                   FieldErrors& errors) {
  CheckCount(field, list.values_size(), kMaxContacts, errors);
  for (int i = 0; i < list.values_size(); ++i) {
    CheckSize(Element(field, i), list.values(i), 1, max_bytes, errors);
  }
}

}  // namespace

std::string Path(std::string_view parent, std::string_view field) {
  return parent.empty() ? std::string(field) : std::string(parent).append(".").append(field);
}

std::string Element(std::string_view field, int index) {
  return std::string(field).append("[").append(std::to_string(index)).append("]");
}

void CheckCount(std::string_view field, size_t count, size_t max, FieldErrors& errors) {
  if (count <= max) return;
  errors.Add(field, "must have at most " + std::to_string(max) + " entries; it has " +
                        std::to_string(count));
}

// Keys are the app's data: messages name none.
void CheckCustomData(std::string_view field, const CustomData& custom, FieldErrors& errors) {
  CheckCount(field, custom.size(), kMaxCustomKeys, errors);
  const auto bad_key = [](const auto& entry) {
    return entry.first.empty() || entry.first.size() > kMaxCustomKeyBytes;
  };
  if (std::any_of(custom.begin(), custom.end(), bad_key)) {
    errors.Add(field, "has a key that is not 1 to 255 bytes long");
  }
  const auto long_value = [](const auto& entry) {
    return entry.second.size() > kMaxCustomValueBytes;
  };
  if (std::any_of(custom.begin(), custom.end(), long_value)) {
    errors.Add(field, "has a value of more than 10000 bytes");
  }
}

void CheckCustomUpdate(std::string_view field, const v1::CustomUpdate& custom,
                       FieldErrors& errors) {
  CheckCustomData(Path(field, "values"), custom.values(), errors);
  const std::string deleted = Path(field, "deleted_keys");
  CheckCount(deleted, custom.deleted_keys_size(), kMaxCustomKeys, errors);
  for (int i = 0; i < custom.deleted_keys_size(); ++i) {
    const std::string& key = custom.deleted_keys(i);
    CheckSize(Element(deleted, i), key, 1, kMaxCustomKeyBytes, errors);
    if (custom.values().contains(key)) {
      errors.Add(Element(deleted, i), "is also in values; name it in one of them");
    }
  }
}

void CheckUrl(std::string_view field, std::string_view url, FieldErrors& errors) {
  CheckSize(field, url, 0, kMaxUrlBytes, errors);
  if (url.empty()) return;
  size_t host = 0;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (url.starts_with(scheme)) host = scheme.size();
  }
  // A URL has no spaces or control characters, and "https:///x" no host.
  const bool is_text =
      std::all_of(url.begin(), url.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
  if (host == 0 || host == url.size() || url[host] == '/' || !is_text) {
    errors.Add(field, "must be empty or a URL such as https://example.com/picture.jpg");
  }
}

void CheckLocale(std::string_view field, std::string_view tag, FieldErrors& errors) {
  if (tag.size() < kMinLocaleCharacters || tag.size() > kMaxLocaleCharacters ||
      !IsLanguageTag(tag)) {
    errors.Add(field, "must be a language tag of 2 to 35 characters such as en-US");
  }
}

void CheckTime(std::string_view field, const google::protobuf::Timestamp& time,
               FieldErrors& errors) {
  if (time.seconds() < kFirstSecond || time.seconds() > kLastSecond || time.nanos() < 0 ||
      time.nanos() > kMaxNanos) {
    errors.Add(field, "must be a time between the years 1 and 9999");
  }
}

void CheckSize(std::string_view field, std::string_view value, size_t min, size_t max,
               FieldErrors& errors) {
  if (value.size() >= min && value.size() <= max) return;
  if (value.empty()) {
    errors.Add(field,
               "is required: " + std::to_string(min) + " to " + std::to_string(max) + " bytes");
    return;
  }
  std::string bounds = min == 0 ? "at most " + std::to_string(max)
                                : std::to_string(min) + " to " + std::to_string(max);
  errors.Add(field, "must be " + bounds + " bytes; it has " + std::to_string(value.size()));
}

void CheckId(std::string_view field, std::string_view value, FieldErrors& errors) {
  CheckSize(field, value, 1, kMaxIdBytes, errors);
  if (value.find('\0') != std::string_view::npos) errors.Add(field, "must not contain NUL");
}

void CheckAppId(std::string_view field, std::string_view value, FieldErrors& errors) {
  CheckSize(field, value, 1, kMaxAppIdBytes, errors);
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  if (!std::all_of(value.begin(), value.end(), allowed)) {
    errors.Add(field, "must consist of A-Z a-z 0-9 _ -; the dashboard shows the app's id");
  }
}

void CheckSessionId(std::string_view field, std::string_view value, FieldErrors& errors) {
  CheckSize(field, value, 1, kMaxSessionIdBytes, errors);
}

size_t CountCharacters(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void CheckUserAttributes(std::string_view field, const v1::UserAttributes& user,
                         FieldErrors& errors) {
  CheckId(Path(field, "id"), user.id(), errors);
  CheckSize(Path(field, "name"), user.name(), 1, kMaxNameBytes, errors);
  if (user.has_custom()) CheckCustomUpdate(Path(field, "custom"), user.custom(), errors);
  if (user.has_locale()) CheckLocale(Path(field, "locale"), user.locale(), errors);
  if (user.has_photo_url()) CheckUrl(Path(field, "photo_url"), user.photo_url(), errors);
  if (user.has_role()) CheckSize(Path(field, "role"), user.role(), 1, kMaxRoleBytes, errors);
  CheckSize(Path(field, "welcome_message"), user.welcome_message(), 0, kMaxWelcomeMessageBytes,
            errors);
  CheckSize(Path(field, "availability_text"), user.availability_text(), 0, kMaxNameBytes, errors);
  CheckContacts(Path(field, "email"), user.email(), kMaxEmailBytes, errors);
  CheckContacts(Path(field, "phone"), user.phone(), kMaxPhoneBytes, errors);
  CheckNullFields(field, user.null_fields(),
                  {{"custom", user.has_custom()},
                   {"locale", user.has_locale()},
                   {"photo_url", user.has_photo_url()},
                   {"role", user.has_role()},
                   {"welcome_message", user.has_welcome_message()},
                   {"availability_text", user.has_availability_text()},
                   {"email", user.has_email()},
                   {"phone", user.has_phone()}},
                  errors);
}

void CheckPushRegistration(std::string_view field, const v1::PushRegistration& registration,
                           FieldErrors& errors) {
  if (registration.provider() == v1::PUSH_PROVIDER_UNSPECIFIED ||
      !v1::PushProvider_IsValid(registration.provider())) {
    errors.Add(Path(field, "provider"), "is required: FCM or APNS");
  }
  CheckSize(Path(field, "push_registration_id"), registration.push_registration_id(), 1,
            kMaxPushRegistrationBytes, errors);
}

void CheckPage(int32_t page_size, int default_size, std::string_view page_token,
               FieldErrors& errors) {
  if (page_size < 0) {
    errors.Add("page_size", "must not be negative; 0 means " + std::to_string(default_size));
  }
  CheckSize("page_token", page_token, 0, kMaxPageTokenBytes, errors);
}

void CheckNullFields(std::string_view field, const Strings& null_fields,
                     std::initializer_list<Nullable> nullable, FieldErrors& errors) {
  std::string names;
  for (const Nullable& entry : nullable) {
    names.append(names.empty() ? "" : ", ").append(entry.name);
  }
  const std::string path = Path(field, "null_fields");
  CheckCount(path, null_fields.size(), nullable.size(), errors);
  for (int i = 0; i < null_fields.size(); ++i) {
    const auto known = std::find_if(nullable.begin(), nullable.end(), [&](const Nullable& entry) {
      return entry.name == null_fields[i];
    });
    if (known == nullable.end()) {
      errors.Add(Element(path, i), "must be one of " + names);
    } else if (known->is_set) {
      errors.Add(Element(path, i), "names a field that is also set; do one of both");
    }
  }
}

}  // namespace talkjsd::api
