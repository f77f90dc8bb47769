// talkjsctl push ...
#include <iostream>
#include <type_traits>

#include "client/talkjsctl/data_commands.h"
#include "client/talkjsctl/push_input.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

using client::Status;

template <typename Request, typename Response>
int Write(const GlobalOptions& global, const PushOptions& options,
          Status (client::Client::*call)(const Request&, Response*), std::string_view done) {
  Request request;
  if constexpr (!std::is_same_v<Request, v1::ClearPushRegistrationsRequest>) {
    v1::PushRegistration device;
    bool given = false;
    const std::string complaint =
        ReadPushDevice(options.provider, options.registration_id_file, &given, &device);
    if (!complaint.empty()) return FailUsage(complaint);
    if (given) {
      request.set_provider(device.provider());
      request.set_push_registration_id(device.push_registration_id());
    }
  }
  client::Client client = MakeClient(global);
  Status status = ResolveSession(client, options.session, request.mutable_session_id());
  if (!status.ok()) return Fail("cannot find the session", status);
  Response response;
  status = (client.*call)(request, &response);
  if (!status.ok()) return Fail("cannot write the push registration", status);
  if (global.json) {
    std::cout << ToJsonLine(response);
  } else {
    std::cout << done << "\n";
  }
  return FinishOutput();
}

void AddDevice(CLI::App& command, PushOptions& o) {
  AddSessionOption(command, o.session);
  command
      .add_option("--provider", o.provider,
                  "fcm or apns; without it, the device that the session was created with")
      ->check(CLI::IsMember({"fcm", "apns"}));
  command
      .add_option("--registration-id-file", o.registration_id_file,
                  "The device's token at the provider; - for standard input")
      ->type_name("F");
}

}  // namespace

void AddPushCommands(CLI::App& app, DataCommandLine& line, RunCommand& run) {
  CLI::App* group =
      app.add_subcommand("push", "Have TalkJS notify a device of the user, or no longer");
  group->require_subcommand(1);
  PushOptions& o = line.push;
  CLI::App* set = group->add_subcommand("set", "Have TalkJS notify a device");
  AddDevice(*set, o);
  set->callback([&line, &run] {
    run = [&line] {
      return Write(*line.global, line.push, &client::Client::SetPushRegistration, "registered");
    };
  });
  CLI::App* unset = group->add_subcommand("unset", "Have TalkJS no longer notify a device");
  AddDevice(*unset, o);
  unset->callback([&line, &run] {
    run = [&line] {
      return Write(*line.global, line.push, &client::Client::UnsetPushRegistration, "unregistered");
    };
  });
  CLI::App* clear =
      group->add_subcommand("clear", "Have TalkJS no longer notify any device of the user");
  AddSessionOption(*clear, o.session);
  clear->callback([&line, &run] {
    run = [&line] {
      return Write(*line.global, line.push, &client::Client::ClearPushRegistrations, "cleared");
    };
  });
}

}  // namespace talkjsd::talkjsctl
