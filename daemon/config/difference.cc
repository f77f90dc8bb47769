#include "daemon/config/difference.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>

#include "daemon/config/field.h"

namespace talkjsd::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

// Types and fields whose changes take effect at a reload.
constexpr std::string_view kLive[] = {"Config.sessions", "Log.level", "Limits.*",
                                      "Upstream.ca_file", "Listener.policies"};

bool IsLive(const FieldDescriptor& field) {
  const std::string& type = field.containing_type()->name();
  return std::any_of(std::begin(kLive), std::end(kLive), [&](std::string_view entry) {
    return entry == type + "." + field.name() || entry == type + ".*";
  });
}

// What makes an entry of a list the same one.
std::string NameOf(const Message& entry) {
  namespace v1 = talkjs::sidecar::config::v1;
  if (entry.GetDescriptor() == v1::Listener::descriptor()) {
    return static_cast<const v1::Listener&>(entry).address();
  }
  const auto& session = static_cast<const v1::DeclaredSession&>(entry);
  return session.app_id() + "/" + session.user_id();
}

bool IsNamedList(const FieldDescriptor& field) {
  namespace v1 = talkjs::sidecar::config::v1;
  return field.is_repeated() && (field.message_type() == v1::Listener::descriptor() ||
                                 field.message_type() == v1::DeclaredSession::descriptor());
}

std::map<std::string, const Message*> Entries(const Message& message,
                                              const FieldDescriptor& field) {
  std::map<std::string, const Message*> entries;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    entries[NameOf(entry)] = &entry;
  }
  return entries;
}

bool Same(const Message& before, const Message& after, const FieldDescriptor& field) {
  MessageDifferencer differencer;
  return differencer.CompareWithFields(before, after, {&field}, {&field});
}

class Comparer {
 public:
  explicit Comparer(Difference* difference) : difference_(*difference) {}

  void Messages(const Message& before, const Message& after, const std::string& prefix) {
    const google::protobuf::Descriptor& type = *before.GetDescriptor();
    const google::protobuf::Reflection& reflection = *before.GetReflection();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const bool is_mapping = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                              !field.is_repeated() && !IsDuration(field);
      const std::string key = prefix + field.name();
      if (IsNamedList(field)) {
        Lists(before, after, field, key);
      } else if (is_mapping) {
        Messages(reflection.GetMessage(before, &field), reflection.GetMessage(after, &field),
                 key + ".");
      } else if (!Same(before, after, field)) {
        Add(field, key);
      }
    }
  }

 private:
  void Lists(const Message& before, const Message& after, const FieldDescriptor& field,
             const std::string& key) {
    const auto old_entries = Entries(before, field);
    const auto new_entries = Entries(after, field);
    for (const auto& [name, entry] : old_entries) {
      const auto other = new_entries.find(name);
      const std::string entry_key = key + "[" + name + "]";
      if (other == new_entries.end()) {
        Add(field, entry_key);
      } else if (!IsLive(field)) {
        Messages(*entry, *other->second, entry_key + ".");
      } else if (!MessageDifferencer::Equals(*entry, *other->second)) {
        Add(field, entry_key);
      }
    }
    for (const auto& [name, entry] : new_entries) {
      if (!old_entries.contains(name)) Add(field, key + "[" + name + "]");
    }
  }

  void Add(const FieldDescriptor& field, const std::string& key) {
    (IsLive(field) ? difference_.live : difference_.restart).push_back(key);
  }

  Difference& difference_;
};

}  // namespace

Difference Compare(const talkjs::sidecar::config::v1::Config& before,
                   const talkjs::sidecar::config::v1::Config& after) {
  Difference difference;
  Comparer(&difference).Messages(before, after, "");
  return difference;
}

}  // namespace talkjsd::config
