// talkjsctl session ...
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <thread>

#include "client/talkjsctl/commands.h"
#include "client/talkjsctl/interrupt.h"
#include "client/talkjsctl/push_input.h"
#include "client/talkjsctl/secret_input.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

using client::Status;

std::string StateName(v1::SessionState state) {
  return WithoutPrefix(v1::SessionState_Name(state), "SESSION_STATE_");
}

std::string ReasonName(v1::ErrorReason reason) {
  if (reason == v1::ERROR_REASON_UNSPECIFIED) return "-";
  return WithoutPrefix(v1::ErrorReason_Name(reason), "ERROR_REASON_");
}

std::string Details(const v1::Session& session) {
  std::vector<std::vector<std::string>> rows = {
      {"session", session.session_id()},
      {"app", session.app_id()},
      {"user", session.has_user_id() ? session.user_id() : "-"},
      {"state", StateName(session.state())},
      {"since", FormatTime(session.has_state_since_time(), session.state_since_time())},
      {"credentials",
       WithoutPrefix(v1::CredentialKind_Name(session.credential_kind()), "CREDENTIAL_KIND_")},
      {"created", FormatTime(session.has_create_time(), session.create_time())},
      {"delivers since", FormatTime(session.has_baseline_time(), session.baseline_time())},
      {"last sync", FormatTime(session.has_last_sync_time(), session.last_sync_time())}};
  if (session.has_token_expire_time()) {
    rows.push_back({"token expires", FormatTime(true, session.token_expire_time())});
  }
  if (session.has_next_attempt_time()) {
    rows.push_back({"next attempt", FormatTime(true, session.next_attempt_time())});
  }
  if (session.reason() != v1::ERROR_REASON_UNSPECIFIED) {
    rows.push_back({"reason", ReasonName(session.reason())});
    rows.push_back({"", session.reason_message()});
  }
  return Table(rows);
}

// Columns of `session watch`, which cannot know what is coming.
const std::vector<size_t> kWatchWidths = {24, 17, 24, 24};

std::string WatchRow(const v1::Session& session) {
  std::string why = ReasonName(session.reason());
  if (!session.reason_message().empty()) why += ": " + session.reason_message();
  return Row({FormatTime(session.has_state_since_time(), session.state_since_time()),
              StateName(session.state()), session.session_id(),
              session.app_id() + "/" + (session.has_user_id() ? session.user_id() : "-"), why},
             kWatchWidths);
}

// Whether waiting longer for CONNECTED is of no use.
bool IsStuck(const v1::Session& session) {
  switch (session.state()) {
    case v1::SESSION_STATE_FAILED:
    case v1::SESSION_STATE_DESTROYED:
    case v1::SESSION_STATE_AWAITING_ME:
      return true;
    case v1::SESSION_STATE_WAITING_FOR_TOKEN:
      return session.credential_kind() == v1::CREDENTIAL_KIND_TOKEN;
    default:
      return false;
  }
}

// Follows the session until it is connected, and says why not if it does not come to that.
Status WaitUntilConnected(client::Client& client, std::chrono::milliseconds timeout,
                          v1::Session* session) {
  v1::WatchSessionsRequest request;
  request.add_session_ids(session->session_id());
  const auto watch = client.WatchSessions(request);
  const std::jthread alarm([&](std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock<std::mutex> lock(mutex);
    wake.wait_for(lock, stop, timeout, [] { return false; });
    if (!stop.stop_requested()) watch->Cancel();
  });
  while (watch->Next(session)) {
    if (session->state() == v1::SESSION_STATE_CONNECTED) return {};
    if (IsStuck(*session)) break;
  }
  Status status = watch->status();
  if (!status.ok() && status.code != client::Code::kCancelled) return status;
  status.code = client::Code::kFailedPrecondition;
  if (session->reason() != v1::ERROR_REASON_UNSPECIFIED) {
    status.reason = ReasonName(session->reason());
  }
  status.message = "session " + session->session_id() + " is " + StateName(session->state());
  if (!session->reason_message().empty()) status.message += ": " + session->reason_message();
  return status;
}

// The user as the options describe it; a complaint if they contradict each other. For requests with
// `user` and `user_id`, and their options.
template <class Options, class Request>
std::string AddUser(const Options& options, Request* request) {
  v1::UserAttributes user;
  const std::string complaint = FillUser(options.user, options.attributes, &user);
  if (!complaint.empty()) return complaint;
  if (!options.attributes.name.has_value()) {
    v1::UserAttributes id_alone;
    id_alone.set_id(options.user);
    if (user.SerializeAsString() != id_alone.SerializeAsString()) {
      return "what is said about the user needs --name";
    }
    if (!options.user.empty()) request->set_user_id(options.user);
    return "";
  }
  if (options.user.empty()) return "--name needs --user";
  *request->mutable_user() = std::move(user);
  return "";
}

std::string AddPush(const SessionCreateOptions& options, v1::CreateSessionRequest* request) {
  bool given = false;
  v1::PushRegistration device;
  const std::string complaint =
      ReadPushDevice(options.push_provider, options.push_id_file, &given, &device);
  if (!complaint.empty()) return complaint;
  if (given) *request->mutable_device_token() = std::move(device);
  if (options.enable_push || options.disable_push) {
    request->set_enable_push_notifications(options.enable_push);
  }
  return "";
}

}  // namespace

int SessionCreate(const GlobalOptions& global, const SessionCreateOptions& options) {
  v1::CreateSessionRequest request;
  request.set_app_id(options.app_id);
  request.set_replace_credentials(options.replace_credentials);
  std::string complaint = AddUser(options, &request);
  if (complaint.empty()) complaint = AddPush(options, &request);
  if (complaint.empty()) complaint = AddCredentials(options, &request);
  if (!complaint.empty()) return FailUsage(complaint);

  client::Client client = MakeClient(global);
  v1::CreateSessionResponse response;
  Status status = client.CreateSession(request, &response);
  if (!status.ok()) return Fail("cannot create the session", status);
  PrintWarnings(response.warnings());
  v1::Session* session = response.mutable_session();
  PrintWarnings(session->warnings());
  if (options.wait && session->state() != v1::SESSION_STATE_CONNECTED) {
    const std::chrono::milliseconds timeout(static_cast<int64_t>(global.timeout_seconds * 1000));
    status = WaitUntilConnected(client, timeout, session);
    if (!status.ok()) return Fail("the session is not connected", status);
  }
  if (global.json) {
    std::cout << ToJsonLine(response);
  } else {
    std::cout << (response.created() ? "created\n" : "existed already\n") << Details(*session);
  }
  return FinishOutput();
}

int SessionList(const GlobalOptions& global, const SessionListOptions& options) {
  v1::ListSessionsRequest request;
  request.set_app_id(options.app_id);
  request.set_user_id(options.user);
  for (const std::string& name : options.states) {
    v1::SessionState state = v1::SESSION_STATE_UNSPECIFIED;
    if (!v1::SessionState_Parse("SESSION_STATE_" + name, &state) ||
        state == v1::SESSION_STATE_UNSPECIFIED) {
      return FailUsage("--state " + name + " is no state: use CONNECTED, FAILED, ...");
    }
    request.add_states(state);
  }
  client::Client client = MakeClient(global);
  std::vector<std::vector<std::string>> rows = {
      {"SESSION", "APP", "USER", "STATE", "SINCE", "CREDENTIALS", "REASON"}};
  do {
    v1::ListSessionsResponse page;
    const Status status = client.ListSessions(request, &page);
    if (!status.ok()) return Fail("cannot list the sessions", status);
    for (const v1::Session& session : page.sessions()) {
      if (global.json) {
        std::cout << ToJsonLine(session);
        continue;
      }
      rows.push_back(
          {session.session_id(), session.app_id(), session.has_user_id() ? session.user_id() : "-",
           StateName(session.state()),
           FormatTime(session.has_state_since_time(), session.state_since_time()),
           WithoutPrefix(v1::CredentialKind_Name(session.credential_kind()), "CREDENTIAL_KIND_"),
           ReasonName(session.reason())});
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (!global.json) std::cout << Table(rows);
  return FinishOutput();
}

int SessionShow(const GlobalOptions& global, const std::string& session) {
  client::Client client = MakeClient(global);
  v1::GetSessionRequest request;
  Status status = ResolveSession(client, session, request.mutable_session_id());
  v1::GetSessionResponse response;
  if (status.ok()) status = client.GetSession(request, &response);
  if (!status.ok()) return Fail("cannot show the session", status);
  PrintWarnings(response.session().warnings());
  std::cout << (global.json ? ToJsonLine(response.session()) : Details(response.session()));
  return FinishOutput();
}

int SessionWatch(const GlobalOptions& global, const SessionWatchOptions& options) {
  client::Client client = MakeClient(global);
  v1::WatchSessionsRequest request;
  request.set_app_id(options.app_id);
  for (const std::string& given : options.sessions) {
    const Status status = ResolveSession(client, given, request.add_session_ids());
    if (!status.ok()) return Fail("cannot find the session", status);
  }
  client::SessionWatchOptions watch_options;
  watch_options.on_reconnect = [](const Status& status, std::chrono::milliseconds) {
    Fail("reconnecting", status);
  };
  const auto watch = client.WatchSessions(request, watch_options);
  const OnInterrupt interrupt([&watch] { watch->Cancel(); });
  v1::Session session;
  bool with_heading = !global.json;
  while (std::cout.good() && watch->Next(&session)) {
    if (with_heading) {
      std::cout << Row({"SINCE", "STATE", "SESSION", "APP/USER", "REASON"}, kWatchWidths) << "\n";
      with_heading = false;
    }
    if (global.json) {
      std::cout << ToJsonLine(session) << std::flush;
    } else {
      std::cout << WatchRow(session) << std::endl;
    }
  }
  if (!watch->status().ok() && !interrupt.happened()) {
    return Fail("the watch ended", watch->status());
  }
  return FinishOutput();
}

int SessionSetMe(const GlobalOptions& global, const SessionSetMeOptions& options) {
  v1::SetMeRequest request;
  const std::string complaint = AddUser(options, &request);
  if (!complaint.empty()) return FailUsage(complaint);
  client::Client client = MakeClient(global);
  v1::SetMeResponse response;
  Status status = ResolveSession(client, options.session, request.mutable_session_id());
  if (status.ok()) status = client.SetMe(request, &response);
  if (!status.ok()) return Fail("cannot set the session's user", status);
  PrintWarnings(response.warnings());
  std::cout << (global.json ? ToJsonLine(response.session()) : Details(response.session()));
  return FinishOutput();
}

int SessionSetToken(const GlobalOptions& global, const SessionSetTokenOptions& options) {
  v1::SetTokenRequest request;
  const std::string complaint =
      ReadSecret("--token-file", options.token_file, "TALKJSD_TOKEN", request.mutable_token());
  if (!complaint.empty()) return FailUsage(complaint);
  client::Client client = MakeClient(global);
  v1::SetTokenResponse response;
  Status status = ResolveSession(client, options.session, request.mutable_session_id());
  if (status.ok()) status = client.SetToken(request, &response);
  if (!status.ok()) return Fail("cannot set the token", status);
  std::cout << (global.json ? ToJsonLine(response.session()) : Details(response.session()));
  return FinishOutput();
}

int SessionDestroy(const GlobalOptions& global, const std::string& session) {
  client::Client client = MakeClient(global);
  v1::DestroySessionRequest request;
  Status status = ResolveSession(client, session, request.mutable_session_id());
  v1::DestroySessionResponse response;
  if (status.ok()) status = client.DestroySession(request, &response);
  if (!status.ok()) return Fail("cannot destroy the session", status);
  if (global.json) {
    std::cout << ToJsonLine(response);
  } else {
    std::cout << "destroyed " << Escape(request.session_id()) << "\n";
  }
  return FinishOutput();
}

int SessionValid(const GlobalOptions& global, const std::string& session) {
  client::Client client = MakeClient(global);
  v1::HasValidCredentialsRequest request;
  Status status = ResolveSession(client, session, request.mutable_session_id());
  v1::HasValidCredentialsResponse response;
  if (status.ok()) status = client.HasValidCredentials(request, &response);
  if (!status.ok()) return Fail("cannot ask TalkJS", status);
  if (global.json) {
    std::cout << ToJsonLine(response);
  } else {
    std::cout << (response.valid() ? "valid" : "not valid: TalkJS does not know the app id")
              << "\n";
  }
  const int written = FinishOutput();
  return response.valid() ? written : kExitRefused;
}

}  // namespace talkjsd::talkjsctl
