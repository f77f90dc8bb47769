#include "daemon/config/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <vector>

#include "daemon/config/field.h"

namespace talkjsd::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Aliases may make a small file a large tree.
constexpr int kMaxNodes = 100'000;

// How many letters must be added, removed or replaced to make one of the other.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string UnknownKey(const Descriptor& type, std::string_view key) {
  constexpr size_t kMaxKey = 64;
  const FieldDescriptor* best = nullptr;
  size_t best_distance = std::min<size_t>(2, key.size() / 3) + 1;  // nearer than that
  std::string all;
  for (int i = 0; i < type.field_count(); ++i) {
    all.append(i == 0 ? "" : ", ").append(type.field(i)->name());
    const size_t distance =
        key.size() > kMaxKey ? best_distance : Distance(key, type.field(i)->name());
    if (distance >= best_distance) continue;
    best = type.field(i);
    best_distance = distance;
  }
  if (best != nullptr) return "unknown key; did you mean " + best->name() + "?";
  return "unknown key; known here: " + all;
}

// A key as a person typed it, for a message of one line.
std::string Printable(const std::string& key) {
  constexpr size_t kMax = 80;
  std::string text = key.substr(0, kMax);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c >= 0x7f; }, '?');
  return text;
}

class Reader {
 public:
  Reader(std::string name, const System& system, Places* places, Problems* problems)
      : name_(std::move(name)), system_(system), places_(*places), problems_(*problems) {}

  // `key` is the path to the mapping; empty at the top.
  void Mapping(const YAML::Node& node, const std::string& key, Message* message) {
    if (TooMany(node) || node.IsNull()) return;
    if (!node.IsMap()) return Problem(node, key, "must be a mapping of keys to values");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        Problem(entry.first, key, "has a key that is not a word");
        continue;
      }
      const std::string& word = entry.first.Scalar();
      const std::string path = (key.empty() ? "" : key + ".") + Printable(word);
      const FieldDescriptor* const field = message->GetDescriptor()->FindFieldByName(word);
      if (field == nullptr) {
        Problem(entry.first, path, UnknownKey(*message->GetDescriptor(), word));
      } else if (!seen.insert(word).second) {
        Problem(entry.first, path, "is here twice");
      } else {
        places_.Set(path, Place(entry.first));
        Field(*field, entry.first, entry.second, path, message);
      }
    }
  }

 private:
  void Field(const FieldDescriptor& field, const YAML::Node& word, const YAML::Node& node,
             const std::string& path, Message* message) {
    if (const auto* const choice = field.real_containing_oneof(); choice != nullptr) {
      const auto* const other = message->GetReflection()->GetOneofFieldDescriptor(*message, choice);
      if (other != nullptr) {
        return Problem(word, path, other->name() + " is here, too: only one of them can be");
      }
    }
    if (field.is_repeated()) return List(field, node, path, message);
    const bool is_mapping =
        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field);
    if (!is_mapping) return Value(field, word, node, path, message);
    Mapping(node, path, message->GetReflection()->MutableMessage(message, &field));
  }

  void List(const FieldDescriptor& field, const YAML::Node& node, const std::string& path,
            Message* message) {
    if (TooMany(node) || node.IsNull()) return;
    if (!node.IsSequence()) return Problem(node, path, "must be a list: lines that begin with -");
    int i = 0;
    for (const YAML::Node& item : node) {
      const std::string item_path = path + "[" + std::to_string(i++) + "]";
      places_.Set(item_path, Place(item));
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Mapping(item, item_path, message->GetReflection()->AddMessage(message, &field));
      } else {
        Value(field, item, item, item_path, message);
      }
    }
  }

  void Value(const FieldDescriptor& field, const YAML::Node& word, const YAML::Node& node,
             const std::string& path, Message* message) {
    if (TooMany(node)) return;
    if (node.IsNull())
      return Problem(word, path, "needs a value; leave the key out for the default");
    if (!node.IsScalar()) return Problem(word, path, "must be one value, not a list or a mapping");
    Scalar scalar;
    scalar.text = node.Scalar();
    scalar.quoted = node.Tag() != "?";
    scalar.expand = true;
    const std::string problem = SetField(field, scalar, system_, message);
    if (!problem.empty()) Problem(word, path, problem);
  }

  bool TooMany(const YAML::Node& node) {
    if (++nodes_ == kMaxNodes) Problem(node, "", "has too many values");
    return nodes_ >= kMaxNodes;
  }

  // Missing values have no mark.
  std::string Place(const YAML::Node& node) const {
    const YAML::Mark mark = node.Mark();
    return mark.is_null() ? name_ : name_ + ":" + std::to_string(mark.line + 1);
  }

  void Problem(const YAML::Node& node, std::string_view key, std::string_view message) {
    problems_.Add(Place(node), key, message);
  }

  const std::string name_;
  const System& system_;
  Places& places_;
  Problems& problems_;
  int nodes_ = 0;
};

}  // namespace

void ReadYaml(const std::string& text, const std::string& name, const System& system,
              Message* message, Places* places, Problems* problems) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) {
      return problems->Add(name, "", "must be one YAML document, not several (lines of ---)");
    }
    Reader reader(name, system, places, problems);
    if (!documents.empty()) reader.Mapping(documents.front(), "", message);
  } catch (const YAML::Exception& error) {
    const std::string place =
        error.mark.is_null() ? name : name + ":" + std::to_string(error.mark.line + 1);
    problems->Add(place, "", "not YAML: " + Printable(error.msg));
  } catch (const std::exception& error) {
    problems->Add(name, "", std::string("not YAML: ") + Printable(error.what()));
  }
}

}  // namespace talkjsd::config
