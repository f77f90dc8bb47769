#include <google/protobuf/message.h>

#include "daemon/config/field.h"
#include "daemon/config/rules.h"
#include "daemon/config/text_rules.h"

namespace talkjsd::config {
namespace {

namespace v1 = talkjs::sidecar::config::v1;

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void FillNumbers(Message* message) {
  const google::protobuf::Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    FillNumber(field, message);
    const bool is_mapping =
        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field);
    if (!is_mapping || field.is_repeated()) continue;
    FillNumbers(message->GetReflection()->MutableMessage(message, &field));
  }
}

// Of what systemd gives a service: a list with ":".
std::string FirstDirectory(const System& system, const char* variable) {
  const std::string list = system.environment(variable);
  return list.substr(0, list.find(':'));
}

// Where the socket is by default; empty: nowhere.
std::string SocketDirectory(const System& system) {
  const std::string given = FirstDirectory(system, "RUNTIME_DIRECTORY");
  if (!given.empty()) return given;
  if (system.is_root) return "/run/talkjsd";
  const std::string runtime = system.environment("XDG_RUNTIME_DIR");
  return runtime.empty() ? "" : runtime + "/talkjsd";
}

void FillListeners(const System& system, v1::Config* values, Problems* problems) {
  if (values->listeners().empty()) {
    const std::string directory = SocketDirectory(system);
    if (directory.empty()) {
      problems->Add("", "", "--listen is needed: XDG_RUNTIME_DIR is not set");
      return;
    }
    values->add_listeners()->set_address("unix://" + directory + "/talkjsd.sock");
  }
  for (v1::Listener& listener : *values->mutable_listeners()) {
    if (!IsUnixAddress(listener.address())) continue;
    if (listener.mode().empty()) listener.set_mode("0660");
    if (!listener.policies().empty()) continue;
    v1::Policy& policy = *listener.add_policies();
    policy.set_name("default");
    policy.set_admin(true);
  }
}

void FillStateDirectory(const System& system, v1::State* state, Problems* problems) {
  if (!state->directory().empty()) return;
  const std::string given = FirstDirectory(system, "STATE_DIRECTORY");
  const std::string home = system.environment("HOME");
  if (!given.empty()) {
    state->set_directory(given);
  } else if (system.is_root) {
    state->set_directory("/var/lib/talkjsd");
  } else if (!home.empty()) {
    state->set_directory(home + "/.local/state/talkjsd");
  } else {
    problems->Add("", "", "--state-dir is needed: HOME is not set");
  }
}

}  // namespace

void FillDefaults(const System& system, v1::Config* values, Problems* problems) {
  FillNumbers(values);
  FillListeners(system, values, problems);
  FillStateDirectory(system, values->mutable_state(), problems);
  v1::State& state = *values->mutable_state();
  if (state.journal_durability() == v1::DURABILITY_UNSPECIFIED) {
    state.set_journal_durability(v1::DURABILITY_OS);
  }
  v1::Log& log = *values->mutable_log();
  if (log.level() == v1::LOG_LEVEL_UNSPECIFIED) log.set_level(v1::LOG_LEVEL_INFO);
  if (log.format() == v1::LOG_FORMAT_UNSPECIFIED) log.set_format(v1::LOG_FORMAT_TEXT);
  v1::Emulator& emulator = *values->mutable_emulator();
  if (emulator.listen().empty()) emulator.set_listen("127.0.0.1:0");
  if (emulator.app_id().empty()) emulator.set_app_id("demo");
}

}  // namespace talkjsd::config
