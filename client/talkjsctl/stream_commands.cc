// talkjsctl messages, talkjsctl unreads.
#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <iostream>
#include <map>
#include <memory>

#include "client/talkjsctl/commands.h"
#include "client/talkjsctl/interrupt.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

using client::Status;

void ReportReconnect(const Status& status, std::chrono::milliseconds) {
  Fail("reconnecting", status);
}

// Session ids for a stream; nothing for --all.
template <class Request>
Status AddSessions(client::Client& client, const FollowOptions& options, Request* request) {
  for (const std::string& given : options.sessions) {
    const Status status = ResolveSession(client, given, request->add_session_ids());
    if (!status.ok()) return status;
  }
  return {};
}

std::string Sender(const v1::Message& message) {
  if (!message.has_sender_id()) return "(system)";
  return message.is_by_me() ? message.sender_id() + " (me)" : message.sender_id();
}

std::string GapText(const v1::Gap& gap) {
  std::string text = "something may be missing here: " +
                     WithoutPrefix(v1::GapReason_Name(gap.reason()), "GAP_REASON_");
  if (gap.has_from_time() || gap.has_to_time()) {
    text += ", from " + FormatTime(gap.has_from_time(), gap.from_time()) + " to " +
            FormatTime(gap.has_to_time(), gap.to_time());
  }
  return text;
}

// Prints events as they come; columns cannot know what is coming.
class EventPrinter {
 public:
  EventPrinter(bool json, bool with_session) : json_(json), with_session_(with_session) {}

  void Print(const v1::MessageEvent& event) {
    if (json_) {
      std::cout << ToJsonLine(event) << std::flush;
      return;
    }
    if (with_heading_) Print({"TIME", "KIND", "CONVERSATION", "SENDER", "TEXT"}, "SESSION");
    with_heading_ = false;
    const std::string time = FormatTime(event.has_event_time(), event.event_time());
    const std::string& session = event.session_id();
    switch (event.payload_case()) {
      case v1::MessageEvent::kSent:
        PrintMessage("sent", event, event.sent());
        break;
      case v1::MessageEvent::kEdited:
        PrintMessage("edited", event, event.edited());
        break;
      case v1::MessageEvent::kDeleted:
        Print({time, "deleted", event.deleted().conversation_id(), "-",
               "message " + event.deleted().message_id()},
              session);
        break;
      case v1::MessageEvent::kGap:
        Print({time, "gap", event.gap().has_conversation_id() ? event.gap().conversation_id() : "-",
               "-", GapText(event.gap())},
              session);
        break;
      case v1::MessageEvent::kSessionState:
        Print(
            {time, "state", "-", "-",
             WithoutPrefix(v1::SessionState_Name(event.session_state().state()), "SESSION_STATE_") +
                 " " + event.session_state().reason_message()},
            session);
        break;
      case v1::MessageEvent::PAYLOAD_NOT_SET:
        break;  // newer than this program
    }
  }

 private:
  void PrintMessage(const std::string& kind, const v1::MessageEvent& event,
                    const v1::Message& message) {
    Print({FormatTime(message.has_create_time(), message.create_time()),
           event.recovered() ? kind + "+" : kind, message.conversation().id(), Sender(message),
           message.body()},
          event.session_id());
  }

  void Print(std::vector<std::string> cells, const std::string& session) {
    std::vector<size_t> widths = {24, 8, 20, 16};
    if (with_session_) {
      cells.insert(cells.begin() + 2, session.empty() ? "-" : session);
      widths.insert(widths.begin() + 2, 24);
    }
    std::cout << Row(cells, widths) << std::endl;
  }

  const bool json_;
  const bool with_session_;
  bool with_heading_ = true;  // not printed yet
};

// Acknowledges what has been printed: each event while they come one by one, now and then while old
// ones are replayed.
class Acknowledger {
 public:
  explicit Acknowledger(bool wanted) : wanted_(wanted) {}

  void BecomeLive() { live_ = true; }
  void Printed(client::MessageStream& stream) {
    if (live_ || std::chrono::steady_clock::now() >= next_) Acknowledge(stream);
  }
  // A failure is told once: if nothing mends it, more comes again the next time.
  void Acknowledge(client::MessageStream& stream) {
    if (!wanted_ || !std::cout.good()) return;
    const Status status = stream.Acknowledge();
    next_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    if (!status.ok() && !failed_) Fail("cannot acknowledge what was printed", status);
    failed_ = !status.ok();
  }

 private:
  const bool wanted_;
  bool live_ = false;
  bool failed_ = false;
  std::chrono::steady_clock::time_point next_;
};

// The request that the options describe, without sessions; a complaint if they contradict.
std::string FillRequest(const MessagesOptions& options, v1::StreamMessagesRequest* request) {
  static const std::map<std::string, v1::MessageEventKind> kKinds = {
      {"sent", v1::MESSAGE_EVENT_KIND_SENT},
      {"edited", v1::MESSAGE_EVENT_KIND_EDITED},
      {"deleted", v1::MESSAGE_EVENT_KIND_DELETED},
      {"state", v1::MESSAGE_EVENT_KIND_SESSION_STATE}};
  for (const std::string& kind : options.kinds) {
    const auto found = kKinds.find(kind);
    if (found == kKinds.end()) {
      return "--kinds " + kind + " is no kind: use sent, edited, deleted, state";
    }
    request->add_kinds(found->second);
  }
  for (const std::string& id : options.conversations) request->add_conversation_ids(id);
  request->set_exclude_by_me(options.exclude_by_me);
  if (!options.subscription.empty()) {
    request->mutable_subscription()->set_name(options.subscription);
    request->mutable_subscription()->set_takeover(options.takeover);
  }
  request->set_on_gap(options.continue_after_gap ? v1::ON_GAP_CONTINUE : v1::ON_GAP_FAIL);
  if (options.earliest) request->mutable_earliest();
  if (!options.from_cursor.empty()) {
    const auto cursor = ParseCursor(options.from_cursor);
    if (!cursor.has_value()) {
      return "--from-cursor is no cursor: give the 34 hex digits or the base64 text that "
             "talkjsctl printed";
    }
    request->set_cursor(*cursor);
  }
  if (!options.from_time.empty() && !google::protobuf::util::TimeUtil::FromString(
                                        options.from_time, request->mutable_from_time())) {
    return "--from-time is no time: write it as 2026-01-31T23:59:59Z";
  }
  return "";
}

}  // namespace

int Messages(const GlobalOptions& global, const MessagesOptions& options) {
  v1::StreamMessagesRequest request;
  const std::string complaint = FillRequest(options, &request);
  if (!complaint.empty()) return FailUsage(complaint);
  client::Client client = MakeClient(global);
  const Status found = AddSessions(client, options.follow, &request);
  if (!found.ok()) return Fail("cannot find the session", found);

  client::MessageStreamOptions stream_options;
  stream_options.reconnect = !options.follow.no_reconnect;
  stream_options.on_reconnect = ReportReconnect;
  Acknowledger acknowledger(request.has_subscription());
  std::unique_ptr<client::MessageStream> stream;
  if (global.verbose) {
    stream_options.on_opened = [](const v1::Opened& opened) {
      std::cerr << "talkjsctl: open after cursor " << CursorToHex(opened.cursor()) << "\n";
    };
  }
  stream_options.on_caught_up = [&] {
    if (global.verbose) std::cerr << "talkjsctl: live\n";
    acknowledger.BecomeLive();
    acknowledger.Acknowledge(*stream);
  };
  stream_options.on_progress = [&](const std::string&) { acknowledger.Acknowledge(*stream); };
  stream = client.StreamMessages(request, stream_options);
  const OnInterrupt interrupt([&stream] { stream->Cancel(); });
  EventPrinter printer(global.json, request.session_ids_size() != 1);
  v1::MessageEvent event;
  int64_t count = 0;
  while (std::cout.good() && stream->Next(&event)) {
    printer.Print(event);
    acknowledger.Printed(*stream);
    // Gaps come unasked: they are no part of what is counted.
    if (event.has_gap()) continue;
    if (++count == options.follow.count) break;
  }
  // What is not acknowledged yet, while the stream is open.
  if (stream->status().ok()) acknowledger.Acknowledge(*stream);
  if (interrupt.happened()) {
    if (!stream->cursor().empty() && !request.has_subscription()) {
      std::cerr << "talkjsctl: go on with --from-cursor " << CursorToHex(stream->cursor()) << "\n";
    }
  } else if (!stream->status().ok()) {
    return Fail("the stream ended", stream->status());
  }
  return FinishOutput();
}

int Unreads(const GlobalOptions& global, const FollowOptions& options) {
  v1::StreamUnreadsRequest request;
  client::Client client = MakeClient(global);
  const Status found = AddSessions(client, options, &request);
  if (!found.ok()) return Fail("cannot find the session", found);

  client::UnreadsStreamOptions stream_options;
  stream_options.reconnect = !options.no_reconnect;
  stream_options.on_reconnect = ReportReconnect;
  if (global.verbose) {
    stream_options.on_opened = [](const v1::UnreadsOpened& opened) {
      std::cerr << "talkjsctl: open as " << Escape(opened.stream_id()) << "\n";
    };
  }
  const auto stream = client.StreamUnreads(request, stream_options);
  const OnInterrupt interrupt([&stream] { stream->Cancel(); });
  v1::UnreadsList list;
  int64_t count = 0;
  while (std::cout.good() && stream->Next(&list)) {
    if (global.json) {
      std::cout << ToJsonLine(list) << std::flush;
    } else {
      const int size = list.conversations_size();
      std::cout << FormatTime(list.has_as_of_time(), list.as_of_time()) << "  "
                << Escape(list.session_id()) << "  " << size
                << (size == 1 ? " unread conversation" : " unread conversations")
                << (list.stale() ? " (stale: the session is not connected)" : "") << "\n";
      for (const v1::UnreadConversation& unread : list.conversations()) {
        std::cout << "  "
                  << Row({std::to_string(unread.unread_message_count()), unread.conversation().id(),
                          Sender(unread.last_message()), unread.last_message().body()},
                         {6, 20, 16})
                  << "\n";
      }
      std::cout << std::flush;
    }
    if (++count == options.count) return FinishOutput();
  }
  if (!interrupt.happened() && !stream->status().ok()) {
    return Fail("the stream ended", stream->status());
  }
  return FinishOutput();
}

}  // namespace talkjsd::talkjsctl
