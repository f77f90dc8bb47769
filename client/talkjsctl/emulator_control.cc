// Faults, connections and the clock.
#include <google/protobuf/struct.pb.h>

#include <iostream>
#include <utility>

#include "client/talkjsctl/emulator_commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

using google::protobuf::Struct;

// Builds a request's body: what was not given is left out.
class Body {
 public:
  void Add(const char* name, const std::string& value) {
    if (!value.empty()) Field(name).set_string_value(value);
  }
  template <typename Number>
  void Add(const char* name, const std::optional<Number>& value) {
    if (value) Field(name).set_number_value(static_cast<double>(*value));
  }
  void AddFlag(const char* name, bool value) {
    if (value) Field(name).set_bool_value(true);
  }
  void Add(const char* name, const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      Field(name).mutable_list_value()->add_values()->set_string_value(value);
    }
  }
  google::protobuf::Value& Field(const char* name) { return (*object_.mutable_fields())[name]; }
  std::string Text() const { return ToJsonText(object_); }

 private:
  Struct object_;
};

const google::protobuf::ListValue& ListOf(const Struct& object, const char* name) {
  static const google::protobuf::ListValue none;
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? none : found->second.list_value();
}

std::string Field(const Struct& object, const char* name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? "-" : Show(found->second);
}

// A table of the objects, or with --json one object a line.
int PrintList(const EmulatorCommandLine& line, const google::protobuf::ListValue& list,
              const std::vector<const char*>& columns) {
  std::vector<std::vector<std::string>> rows;
  rows.emplace_back(columns.begin(), columns.end());
  for (const auto& item : list.values()) {
    if (line.global->json) {
      std::cout << ToJsonText(item.struct_value()) << "\n";
      continue;
    }
    std::vector<std::string> row;
    for (const char* column : columns) row.push_back(Field(item.struct_value(), column));
    rows.push_back(std::move(row));
  }
  if (!line.global->json) std::cout << Table(rows);
  return FinishOutput();
}

// With --json the answer, else `words`.
int PrintDone(const EmulatorCommandLine& line, const ControlAnswer& answer,
              const std::string& words) {
  std::cout << (line.global->json ? ToJsonText(answer.json) : words) << "\n";
  return FinishOutput();
}

// --- faults ---

int FaultAdd(const EmulatorCommandLine& line) {
  const FaultOptions& o = line.fault;
  Body body;
  body.Add("on", o.on);
  body.Add("action", o.action);
  body.Add("user", o.user);
  body.Add("path", o.path);
  body.Add("method", o.method);
  body.Add("event", o.event);
  body.Add("nth", o.nth);
  body.Add("every", o.every);
  body.Add("times", o.times);
  body.Add("probability", o.probability);
  body.Add("seed", o.seed);
  body.Add("ms", o.ms);
  body.Add("status", o.status);
  body.Add("error_code", o.error_code);
  body.Add("reasons", o.reasons);
  body.Add("code", o.code);
  body.Add("reason", o.reason);
  body.AddFlag("renumber", o.renumber);
  const ControlAnswer answer = CallEmulator(line, "POST", "faults", body.Text());
  if (!answer.ok) return FailControl("cannot add the fault", answer);
  return PrintDone(line, answer, "added fault " + Field(answer.json, "id"));
}

int FaultList(const EmulatorCommandLine& line) {
  const ControlAnswer answer = CallEmulator(line, "GET", "faults");
  if (!answer.ok) return FailControl("cannot list the faults", answer);
  return PrintList(line, ListOf(answer.json, "faults"),
                   {"id", "on", "action", "user", "method", "path", "event", "nth", "every",
                    "times", "probability", "seed", "matched", "fired"});
}

int FaultDelete(const EmulatorCommandLine& line) {
  const std::string id = std::to_string(line.fault.id);
  const ControlAnswer answer = CallEmulator(line, "DELETE", "faults/" + id);
  if (!answer.ok) return FailControl("cannot delete the fault", answer);
  return PrintDone(line, answer, "deleted fault " + id);
}

int FaultClear(const EmulatorCommandLine& line) {
  const ControlAnswer answer = CallEmulator(line, "DELETE", "faults");
  if (!answer.ok) return FailControl("cannot delete the faults", answer);
  return PrintDone(line, answer, "deleted " + Field(answer.json, "deleted") + " faults");
}

void AddFaultAdd(CLI::App& fault, EmulatorCommandLine& line, RunCommand& run) {
  CLI::App* add = fault.add_subcommand("add", "Add a rule by which something goes wrong");
  FaultOptions& o = line.fault;
  add->add_option("action", o.action,
                  "drop, reset, close, stall, half_open, delay, duplicate, tear, corrupt, lose, "
                  "expire, restart, status, refuse_token")
      ->type_name("ACTION")
      ->required();
  add->add_option("--on", o.on, "Where: connect, request, answer, publish, http")
      ->type_name("POINT");
  add->add_option("--user", o.user, "Only of this user; * stands for anything")->type_name("USER");
  add->add_option("--path", o.path, "Only this path; * is one segment, ** any number")
      ->type_name("PATH");
  add->add_option("--method", o.method, "Only this method")->type_name("METHOD");
  add->add_option("--event", o.event, "With --on publish: only frames with this event")
      ->type_name("TYPE");
  add->add_option("--nth", o.nth, "Only the Nth match")->type_name("N");
  add->add_option("--every", o.every, "Only every Nth match")->type_name("N");
  add->add_option("--times", o.times, "Fire so often at most")->type_name("N");
  add->add_option("--probability", o.probability, "Fire with this probability, 0 to 1")
      ->type_name("P");
  add->add_option("--seed", o.seed, "Of the probability")->type_name("N");
  add->add_option("--ms", o.ms, "How long: stall, delay, restart")->type_name("MS");
  add->add_option("--status", o.status, "With status: what to answer")->type_name("STATUS");
  add->add_option("--error-code", o.error_code, "With status: the errorCode")->type_name("CODE");
  add->add_option("--reasons", o.reasons, "With status: a reason; may be repeated")
      ->allow_extra_args(false)
      ->type_name("TEXT");
  add->add_option("--code", o.code, "With close: the close code")->type_name("CODE");
  add->add_option("--reason", o.reason, "With close: the close reason")->type_name("TEXT");
  add->add_flag("--renumber", o.renumber,
                "With duplicate of a PUBLISH: the copy gets a number of its own");
  add->callback([&line, &run] { run = [&line] { return FaultAdd(line); }; });
}

// --- connections ---

int ConnectionList(const EmulatorCommandLine& line) {
  const ControlAnswer answer = CallEmulator(line, "GET", "connections");
  if (!answer.ok) return FailControl("cannot list the connections", answer);
  return PrintList(line, ListOf(answer.json, "connections"),
                   {"id", "user", "client_id", "since", "logged_in", "subscriptions", "state"});
}

int ConnectionAct(const EmulatorCommandLine& line) {
  const ConnectionOptions& o = line.connection;
  if (o.action.empty()) return ConnectionList(line);
  Body body;
  body.Add("user", o.user);
  body.Add("id", o.id);
  body.AddFlag("all", o.all);
  body.Add("ms", o.ms);
  body.Add("code", o.code);
  body.Add("reason", o.reason);
  body.AddFlag("reset", o.reset);
  const ControlAnswer answer = CallEmulator(line, "POST", "connections/" + o.action, body.Text());
  if (!answer.ok) return FailControl("cannot act on the connections", answer);
  return PrintDone(line, answer, o.action + ": " + Field(answer.json, "connections"));
}

// --- clock ---

int ClockAct(const EmulatorCommandLine& line) {
  const ClockOptions& o = line.clock;
  Body body;
  body.Add("advance_ms", o.advance_ms);
  if (o.freeze || o.resume) body.Field("freeze").set_bool_value(o.freeze);
  const bool changes = o.advance_ms || o.freeze || o.resume;
  const ControlAnswer answer = changes ? CallEmulator(line, "POST", "clock", body.Text())
                                       : CallEmulator(line, "GET", "clock");
  if (!answer.ok) return FailControl("cannot use the clock", answer);
  if (line.global->json) return PrintDone(line, answer, "");
  std::cout << Table({{"now", Field(answer.json, "now")},
                      {"ahead_ms", Field(answer.json, "ahead_ms")},
                      {"frozen", Field(answer.json, "frozen")}});
  return FinishOutput();
}

}  // namespace

void AddEmulatorFaults(CLI::App& group, EmulatorCommandLine& line, RunCommand& run) {
  CLI::App* fault = group.add_subcommand("fault", "Rules by which things go wrong");
  fault->require_subcommand(1);
  AddFaultAdd(*fault, line, run);
  fault->add_subcommand("list", "List the rules, and how often each matched and fired")
      ->callback([&line, &run] { run = [&line] { return FaultList(line); }; });
  CLI::App* remove = fault->add_subcommand("delete", "Delete a rule");
  remove->add_option("id", line.fault.id, "The rule's id")->type_name("ID")->required();
  remove->callback([&line, &run] { run = [&line] { return FaultDelete(line); }; });
  fault->add_subcommand("clear", "Delete all rules")->callback([&line, &run] {
    run = [&line] { return FaultClear(line); };
  });
}

void AddEmulatorConnections(CLI::App& group, EmulatorCommandLine& line, RunCommand& run) {
  CLI::App* connections =
      group.add_subcommand("connections", "List the open sockets, or act on some of them");
  ConnectionOptions& o = line.connection;
  connections
      ->add_option("action", o.action,
                   "close, drop, expire, stall, half-open, resume, restart (default: list)")
      ->type_name("ACTION")
      ->check(
          CLI::IsMember({"close", "drop", "expire", "stall", "half-open", "resume", "restart"}));
  connections->add_option("--user", o.user, "Those of this user; * stands for anything")
      ->type_name("USER");
  connections->add_option("--id", o.id, "The one with this id")->type_name("ID");
  connections->add_flag("--all", o.all, "All");
  connections->add_option("--ms", o.ms, "How long: stall, restart")->type_name("MS");
  connections->add_option("--code", o.code, "With close: the close code")->type_name("CODE");
  connections->add_option("--reason", o.reason, "With close: the close reason")->type_name("TEXT");
  connections->add_flag("--reset", o.reset, "With drop: by a TCP reset");
  connections->callback([&line, &run] { run = [&line] { return ConnectionAct(line); }; });
}

void AddEmulatorClock(CLI::App& group, EmulatorCommandLine& line, RunCommand& run) {
  CLI::App* clock = group.add_subcommand("clock", "Show the emulator's time, or move it on");
  ClockOptions& o = line.clock;
  clock->add_option("--advance-ms", o.advance_ms, "Move on by so much at once")
      ->type_name("MS")
      ->check(CLI::NonNegativeNumber);
  CLI::Option* freeze = clock->add_flag("--freeze", o.freeze, "Stop it");
  clock->add_flag("--resume", o.resume, "Let it run again")->excludes(freeze);
  clock->callback([&line, &run] { run = [&line] { return ClockAct(line); }; });
}

}  // namespace talkjsd::talkjsctl
