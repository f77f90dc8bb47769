// What TalkJS's server does where nobody outside knows: every open question of the protocol that
// the emulator had to answer, and its answer. Change one here and nowhere else. Where an answer is
// a rule rather than a number, the comment names the function that keeps it.
//
// clang-format off
//  1  error codes              refusal.h lists them; clients depend only on the documented ones
//  2  not my conversation      404 CONVERSATION_NOT_FOUND if there is none, 403 NOT_A_PARTICIPANT
//                              if there is (World::Enter)
//  3  side.edited              the properties that changed for that participant, after the event
//                              of the change itself (World::TellSides)
//  4  PUBLISH or answer first  PUBLISH first, on every socket (Connection::OnText)
//  5  ACKs                     nothing is ever sent again; they show what the client has read
//                              (Connection::AckToAwait)
//  6  silent clients           closed after kIdleTimeout without any frame
//  7  session.expired          pushed at the token's `exp`; 401 to calls from then until renewed
//  8  expiresInSeconds         floor(exp - now), null without exp; short lifetimes are accepted
//  9  read and unread          read: everything up to now, manual mark off; unread: manual mark on,
//                              count unchanged
// 10  sending                  reads everything up to the message sent, manual mark off
// 11  unreadMessageCount       messages of others, system messages included, without limit
// 12  joining                  everything older counts as read; history is visible
// 13  last message deleted     lastMessageAt goes back, and side.edited says so
// 14  last participant leaves  the conversation stays; it is cleared only over the control endpoint
// 15  permissions              participants may do everything; sending with access "Read" is 403
//                              UNAUTHORIZED_TO_SEND, and replying to a system message is 400;
//                              anybody may join himself, and PUT a
//                              conversation's attributes (the SDK's set() does so just before it
//                              joins)
// 16  sizes                    frames of kMaxFrameBytes; no limit on texts, ids and custom values
//                              within it; files of kMaxFileBytes (files.h), and all together of
//                              kMaxStoredFileBytes
// 17  reactions                the one who reacts gets the same events, with his own
//                              currentUserReacted
// 18  custom-only edit         sets editedAt
// 19  emoji                    kept fully qualified, as the SDK's documentation says: U+FE0F where
//                              Unicode's list has it, and nowhere else (emoji.h)
// 20  bokens                   JWTs with an exp of kBokenLifetimeSeconds
// 21  402                      never answered
// 22  several sockets          each has its own subscriptions; a user is online while any of them
//                              is logged in
// 23  going offline            told at once
// 24  adding others            only by participants
// 25  cursors                  the sort key of the page's last item, and for conversations the
//                              filter (request.h)
// 26  batch answers            "data" is {}
// 27  WebSocket pings          none are sent
// 28  message into nowhere     404 CONVERSATION_NOT_FOUND
// 29  empty text               400 BAD_REQUEST
// 30  compression              declined
// 31  unknown app              the upgrade is accepted, the login answered with 401
// 32  links and actions        403 unless Options::users_may_send_links
//
// Of our own:
//  -  blocks and text nodes of an unknown kind are refused: 400 BAD_REQUEST (CheckContent)
//  -  in one conversation no two messages have the same createdAt, and no two joinings at all the
//     same joinedAt, because the SDK miscounts pages whose borders share a millisecond; in a flood,
//     times run ahead of the clock by kMaxTimeAhead at most, and then repeat
//  -  a message's createdAt is later than every joinedAt, because clients take
//     lastMessageAt == joinedAt for "no messages yet"
//  -  whether a message was read is decided by its place in the conversation, not by comparing
//     milliseconds
//  -  a page size beyond the documented bound is cut to the bound
//  -  searching: words are what white space parts, letters count alike in either case, accents
//     count; a text without words finds nothing (search.h)
//  -  translating: "*fr* " before the text; what is no text stays as it is (calls_messages.cc)
//  -  files are downloaded from where they were uploaded to, without authentication by whoever
//     knows the token; a measure that does not belong to the subtype is ignored (http_files.h)
//
// Of the REST API for servers (rest.h):
//  -  lists take 1 to kMaxRestPage items a page, kRestPage if not told; more is 400
//  -  an idempotency key counts within its conversation
//  -  participants that a PUT of a conversation names and that are in it already stay as they are
//  -  access "None": to clients the user has left; what he had read is remembered for his return
//     (World::ShutOut)
//  -  a number as readUntil may go back, and then makes messages unread again
//  -  users who are not participants may be said to have reacted
//  -  an imported message is unread for who is not in its readBy and has read up to an earlier time
//     (World::IsUnread)
//  -  `text` is parsed with links and actions, and given back as it came
//  -  everyoneReadUntil is null where nobody is in the conversation
//  -  limits of rate are off unless Options::rest_rate_limits; of unknown whether a batch's
//     operations count one by one, the batch counts once
//  -  webhooks and notifications are not emulated
// clang-format on
#ifndef TALKJSD_EMULATOR_DECISIONS_H_
#define TALKJSD_EMULATOR_DECISIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "daemon/base/clock.h"

namespace talkjsd::emulator {

inline constexpr Duration kIdleTimeout = std::chrono::seconds(60);
inline constexpr size_t kMaxFrameBytes = 1 << 20;
inline constexpr size_t kMaxSnapshotBytes = 256 << 20;  // of a document to seed or restore from
inline constexpr size_t kMaxFileBytes = 50'000'000;
inline constexpr size_t kMaxStoredFileBytes = size_t{1} << 30;
inline constexpr size_t kFileTokenLength = 24;
inline constexpr int64_t kBokenLifetimeSeconds = 24 * 60 * 60;

// A typing mark lasts so long, and of more than this many typing users only "many" is told.
inline constexpr Duration kTypingLasts = std::chrono::seconds(10);
inline constexpr size_t kMaxTypingListed = 5;

// How long the same idempotency key returns the first message.
inline constexpr std::chrono::milliseconds kIdempotencyWindow = std::chrono::hours(24);

// How far the times of messages may run ahead of the clock so that no two in a conversation are the
// same.
inline constexpr std::chrono::milliseconds kMaxTimeAhead{1000};

inline constexpr size_t kMaxReactionKinds = 50;      // different emoji on one message
inline constexpr size_t kMaxCustomEmojiLength = 50;  // characters, colons included
inline constexpr size_t kMaxUserIdsPerCall = 1000;
inline constexpr size_t kMaxParticipantActions = 100;

// Page sizes: what is used without `limit`, and the bound.
inline constexpr size_t kConversationPage = 20, kMaxConversationPage = 30;
inline constexpr size_t kMessagePage = 30, kMaxMessagePage = 100;
inline constexpr size_t kParticipantPage = 10, kMaxParticipantPage = 50;
inline constexpr size_t kReactionPage = 30, kMaxReactionPage = 100;
inline constexpr size_t kSearchPage = 10, kMaxSearchPage = 50;
inline constexpr size_t kRestPage = 10, kMaxRestPage = 100;

inline constexpr size_t kMaxTranslatedMessages = 100;  // in one call

// A search looks at so many messages at a time, and lets others have their turn in between.
inline constexpr size_t kSearchSlice = 5000;

inline constexpr size_t kMaxRestUsers = 100;    // in one PUT
inline constexpr size_t kMaxRestMessages = 10;  // in one POST or import
inline constexpr size_t kMaxOperations = 10;    // in one batch
// Its limits of rate.
inline constexpr double kRestBurst = 600, kRestPerSecond = 9;
inline constexpr double kBatchBurst = 500, kBatchPerSecond = 1;
inline constexpr size_t kMaxWaitingBatches = 100;
inline constexpr size_t kMaxIdempotencyKey = 255;
inline constexpr size_t kMaxParticipantsWithReadBy = 300;

// Between the answer to a GET and a PUBLISH behind it, and between a PUBLISH that makes a message
// or a side and one about it: the `ws` package hands over both in one tick when one read brings
// them, and the SDK then drops the later events.
inline constexpr Duration kGapBetweenReads = std::chrono::milliseconds(5);
// The latter waits for the ACK instead, where the client sends any, but not for longer than this.
inline constexpr Duration kLongestWaitForAck = std::chrono::milliseconds(100);

// A client that does not read is dropped when so much waits for it.
inline constexpr size_t kMaxQueuedBytes = 16 << 20;

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_DECISIONS_H_
