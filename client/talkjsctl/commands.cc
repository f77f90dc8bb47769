#include "client/talkjsctl/commands.h"

#include <algorithm>
#include <iostream>

#include "client/talkjsctl/secret_input.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

using client::Status;

constexpr std::chrono::milliseconds kConnectTimeout{3000};

std::string UpstreamText(const v1::UpstreamInfo& upstream) {
  std::string text = WithoutPrefix(v1::UpstreamMode_Name(upstream.mode()), "UPSTREAM_MODE_");
  if (!upstream.host().empty()) text += " " + upstream.host();
  return text;
}

std::string JournalText(const v1::JournalInfo& journal) {
  std::string text = WithoutPrefix(v1::JournalState_Name(journal.state()), "JOURNAL_STATE_");
  if (journal.durability() != v1::DURABILITY_UNSPECIFIED) {
    text +=
        ", durability " + WithoutPrefix(v1::Durability_Name(journal.durability()), "DURABILITY_");
  }
  return text + ", " + std::to_string(journal.event_count()) + " events, " +
         std::to_string(journal.size_bytes()) + " bytes";
}

// What to send; the complaint if that is not one thing.
std::string AddContent(const SendOptions& options, v1::SendMessageRequest* request) {
  const int given = (options.text.empty() ? 0 : 1) + (options.location.empty() ? 0 : 1) +
                    (options.file_token.empty() ? 0 : 1);
  if (given != 1) return "give one of TEXT, --location and --file-token";
  v1::CustomUpdate custom;
  const std::string complaint = FillCustom(options.custom, &custom);
  if (!complaint.empty()) return complaint;
  *request->mutable_custom() = custom.values();
  if (!options.location.empty()) {
    request->mutable_location()->set_latitude(options.location[0]);
    request->mutable_location()->set_longitude(options.location[1]);
    return "";
  }
  if (!options.file_token.empty()) {
    request->set_file_token(options.file_token);
    return "";
  }
  std::string text = options.text;
  if (text == "-") {
    const std::string unreadable = ReadInput("-", &text);
    if (!unreadable.empty()) return unreadable;
    // A here-document ends with a newline that nobody meant to send.
    if (!text.empty() && text.back() == '\n') text.pop_back();
  }
  request->set_text(text);
  return "";
}

}  // namespace

client::Client MakeClient(const GlobalOptions& global) {
  client::ClientOptions options;
  options.address = global.address;
  options.tls = global.tls;
  options.ca_file = global.ca_file;
  options.cert_file = global.cert_file;
  options.key_file = global.key_file;
  options.bearer_token_file = global.bearer_token_file;
  options.call_timeout =
      std::chrono::milliseconds(static_cast<int64_t>(global.timeout_seconds * 1000));
  options.connect_timeout = std::min(kConnectTimeout, options.call_timeout);
  return client::Client(options);
}

int Fail(std::string_view what, const Status& status) {
  const std::string_view reason =
      status.reason.empty() ? client::CodeName(status.code) : std::string_view(status.reason);
  std::string message = status.message;
  for (const client::FieldViolation& violation : status.field_violations) {
    message += "; " + violation.field + ": " + violation.description;
  }
  std::cout.flush();
  std::cerr << "talkjsctl: " << Escape(what) << " (" << Escape(reason) << "): " << Escape(message)
            << "\n";
  // The daemon gives a reason; what has none was refused here, as the options make no sense.
  if (status.code == client::Code::kInvalidArgument && status.reason.empty()) return kExitUsage;
  return status.unreachable() ? kExitUnreachable : kExitRefused;
}

int FailUsage(std::string_view message) {
  std::cerr << "talkjsctl: " << Escape(message) << "\n";
  return kExitUsage;
}

void PrintWarnings(const google::protobuf::RepeatedPtrField<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    std::cerr << "talkjsctl: warning: " << Escape(warning) << "\n";
  }
}

Status ResolveSession(client::Client& client, const std::string& given, std::string* id) {
  const size_t slash = given.find('/');
  if (slash == std::string::npos) {
    *id = given;
    return {};
  }
  v1::ListSessionsRequest request;
  request.set_app_id(given.substr(0, slash));
  request.set_user_id(given.substr(slash + 1));
  v1::ListSessionsResponse response;
  Status status = client.ListSessions(request, &response);
  if (!status.ok()) return status;
  if (response.sessions().empty()) {
    status.code = client::Code::kNotFound;
    status.reason = "SESSION_NOT_FOUND";
    status.message = "app " + request.app_id() + " and user " + request.user_id() +
                     " have no session; create one: talkjsctl session create --app-id " +
                     request.app_id() + " --user " + request.user_id();
    return status;
  }
  *id = response.sessions(0).session_id();
  return {};
}

int FinishOutput() {
  std::cout.flush();
  if (std::cout.good()) return kExitOk;
  std::cerr << "talkjsctl: cannot write to standard output\n";
  return kExitRefused;
}

int Send(const GlobalOptions& global, const SendOptions& options) {
  v1::SendMessageRequest request;
  const std::string complaint = AddContent(options, &request);
  if (!complaint.empty()) return FailUsage(complaint);
  client::Client client = MakeClient(global);
  Status status = ResolveSession(client, options.session, request.mutable_session_id());
  if (!status.ok()) return Fail("cannot find the session", status);
  request.set_conversation_id(options.conversation);
  if (!options.reply_to.empty()) request.set_referenced_message_id(options.reply_to);
  request.set_request_id(options.request_id);
  request.set_ensure_participant(options.ensure_participant);
  v1::SendMessageResponse response;
  status = client.SendMessage(request, &response);
  if (!status.ok()) return Fail("cannot send the message", status);
  if (global.json) {
    std::cout << ToJsonLine(response);
  } else {
    std::cout << "sent " << Escape(response.message_id()) << "\n";
  }
  return FinishOutput();
}

int ShowStatus(const GlobalOptions& global) {
  client::Client client = MakeClient(global);
  v1::GetInfoResponse info;
  const Status status = client.GetInfo({}, &info);
  if (!status.ok()) return Fail("cannot read the status", status);
  if (global.json) {
    std::cout << ToJsonLine(info);
    return FinishOutput();
  }
  std::string sessions;
  for (const v1::SessionCount& count : info.sessions_by_state()) {
    if (count.count() == 0) continue;
    if (!sessions.empty()) sessions += ", ";
    sessions += std::to_string(count.count()) + " " +
                WithoutPrefix(v1::SessionState_Name(count.state()), "SESSION_STATE_");
  }
  std::cout << Table({{"address", client.address()},
                      {"version", info.version()},
                      {"started", FormatTime(info.has_start_time(), info.start_time())},
                      {"upstream", UpstreamText(info.upstream())},
                      {"sessions", sessions.empty() ? "none" : sessions},
                      {"streams", std::to_string(info.stream_count())},
                      {"journal", JournalText(info.journal())}});
  return FinishOutput();
}

}  // namespace talkjsd::talkjsctl
