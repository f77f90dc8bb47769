// The daemon's streams as blocking loops that survive a lost connection.
//
//   auto stream = client.StreamMessages(request);
//   v1::MessageEvent event;
//   while (stream->Next(&event)) {
//     Handle(event);                  // after a crash, recognise repeats by Message.id
//     SaveCursor(stream->cursor());   // after handling: that makes it "at least once"
//   }
//   Log(stream->status().ToString());
//
// All three kinds work alike. Next() blocks. When a stream ends with UNAVAILABLE (the daemon
// drains, restarts, or the connection broke), Next() waits a little and opens it again, for as long
// as it takes; every other end is final, and so is UNAVAILABLE when no daemon could be reached to
// begin with (ClientOptions::connect_timeout). After false, status() says why, and Next() stays
// false.
//
// Thread: one thread calls Next() and reads the accessors; hooks run on that thread, inside Next().
// Cancel() may be called from any thread (not from a signal handler). A stream keeps its connection
// and may outlive its Client. Destroying it closes it; no Next() may be running then.
#ifndef TALKJSD_CLIENT_STREAM_H_
#define TALKJSD_CLIENT_STREAM_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "talkjs/sidecar/v1/event_service.pb.h"
#include "talkjs/sidecar/v1/session_service.pb.h"
#include "talkjsd/status.h"

namespace talkjsd::client {

namespace v1 = talkjs::sidecar::v1;

// What all streams can be told.
struct StreamOptions {
  // False: the first UNAVAILABLE ends the stream too.
  bool reconnect = true;
  // The pause before the first attempt to reopen; doubled at each further one without success, up
  // to max_backoff, each drawn from the upper half. A RetryInfo of the daemon goes before it.
  std::chrono::milliseconds min_backoff{100};
  std::chrono::milliseconds max_backoff{2000};
  // Called before each pause: why the stream ended, and how long the pause is.
  std::function<void(const Status&, std::chrono::milliseconds)> on_reconnect;
};

// A message stream's hooks, all optional, and what else it can be told.
struct MessageStreamOptions : StreamOptions {
  // How many of the latest messages the stream remembers, so that Next() returns none of them twice
  // even when the daemon's journal has lost its end (a restored backup, power loss) and fetched
  // them again under new cursors. About 200 bytes each; 0 = none.
  size_t remembered_messages = 10'000;
  // The stream is open: at its start and after each reconnect.
  std::function<void(const v1::Opened&)> on_opened;
  // Everything that was in the journal has been returned by Next(): what follows is live.
  std::function<void()> on_caught_up;
  // cursor() moved without an event. A program that stores cursors should store this one too: a
  // quiet stream's position would otherwise grow older than what the journal keeps.
  std::function<void(const std::string& cursor)> on_progress;
};

// EventService.StreamMessages.
//
// Resumes after the last event that Next() returned, whatever the request started with: within one
// process nothing comes twice, whatever becomes of the daemon. A program that is killed starts
// again with the cursor that it has stored, or with the named subscription where it has
// acknowledged: what follows that position comes again, and nothing else. A position that the
// daemon no longer has is never skipped in silence; the request's on_gap says how:
//   ON_GAP_FAIL (default)  the stream ends with OUT_OF_RANGE, reason JOURNAL_LOST or CURSOR_EXPIRED
//                          (then metadata["earliest_cursor"] is where one could go on, in base64).
//   ON_GAP_CONTINUE        Next() returns an event with the payload `gap`, then the earliest event
//                          that there is.
// Gaps that the daemon finds later are events with the payload `gap` in either case.
class MessageStream {
 public:
  MessageStream(const MessageStream&) = delete;
  MessageStream& operator=(const MessageStream&) = delete;
  ~MessageStream();

  // Waits for the next event. False = the stream has ended, see status().
  bool Next(v1::MessageEvent* event);

  // Everything up to here has been returned by Next(): 17 opaque bytes to store and to start
  // another stream with. Before the first event the place where the stream started; empty before
  // it opened.
  const std::string& cursor() const;

  // The daemon's name for the stream as it is open now, for Client::Acknowledge; changes at a
  // reconnect.
  const std::string& stream_id() const;

  // Of a stream with a named subscription: tells the daemon that everything up to cursor() is done
  // with. To be called after handling what Next() returned (and from on_progress, where nothing is
  // left to handle), not necessarily each time. An error is no reason to stop: a later call covers
  // it, and until then only more would come again after a crash. Waits for no daemon.
  Status Acknowledge();

  // Why the stream ended; OK while it has not. After Cancel(): CANCELLED.
  const Status& status() const;

  // Makes Next() return false soon; for good.
  void Cancel();

 private:
  friend class Client;
  class Impl;
  explicit MessageStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Hooks of an unreads stream; all optional.
struct UnreadsStreamOptions : StreamOptions {
  // The stream is open: at its start and after each reconnect.
  std::function<void(const v1::UnreadsOpened&)> on_opened;
  // A session's state changed; only on streams over several sessions.
  std::function<void(const v1::SessionStateChange&)> on_session_state;
};

// EventService.StreamUnreads. There is nothing to resume: after a reconnect each session's present
// list comes again, changed or not.
class UnreadsStream {
 public:
  UnreadsStream(const UnreadsStream&) = delete;
  UnreadsStream& operator=(const UnreadsStream&) = delete;
  ~UnreadsStream();

  // Waits for the next list. False = the stream has ended, see status().
  bool Next(v1::UnreadsList* list);

  // As in MessageStream.
  const Status& status() const;
  void Cancel();

 private:
  friend class Client;
  class Impl;
  explicit UnreadsStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Hooks of a watch; all optional.
struct SessionWatchOptions : StreamOptions {
  // Every session that matched when the watch was opened has been returned by Next(). Called again
  // after each reconnect.
  std::function<void()> on_snapshot_complete;
};

// SessionService.WatchSessions. After a reconnect every session that matches comes again; one that
// ended meanwhile does not come, so a program that keeps a list drops what it did not see by the
// next on_snapshot_complete.
class SessionWatch {
 public:
  SessionWatch(const SessionWatch&) = delete;
  SessionWatch& operator=(const SessionWatch&) = delete;
  ~SessionWatch();

  // Waits for the next session that is there or has changed. False = the watch has ended, see
  // status().
  bool Next(v1::Session* session);

  // As in MessageStream.
  const Status& status() const;
  void Cancel();

 private:
  friend class Client;
  class Impl;
  explicit SessionWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_STREAM_H_
