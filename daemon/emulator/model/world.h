// The emulated app's state and the rules by which it changes: users, conversations, sides,
// messages, reactions, typing. Knows neither sockets nor JSON.
//
//   World world(clock, random);
//   world.OnChange([&](const Change& change) { publisher.Publish(change); });
//   absl::StatusOr<std::string> id = world.SendMessage("alice", "c1", std::move(message));
//
// Every call is complete when it returns; each thing it changed was reported before, in the order
// in which clients are to hear of it. Errors are refusals (refusal.h) and change nothing. `caller`
// is the user on whose behalf a call is made.
//
// Lives on one thread. State is in memory; all of it is in the records, and every write is reported
// as a Change, so that a store can follow along and fill a new world.
#ifndef TALKJSD_EMULATOR_MODEL_WORLD_H_
#define TALKJSD_EMULATOR_MODEL_WORLD_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/emulator/model/change.h"
#include "daemon/emulator/model/filter.h"
#include "daemon/emulator/model/records.h"

namespace talkjsd::emulator {

class SearchQuery;

// One page of a list. `more`: something follows the last item.
template <typename T>
struct Page {
  std::vector<T> items;
  bool more = false;
};

class World {
 public:
  // Both outlive the world.
  World(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void OnChange(std::function<void(const Change&)> listener) { listener_ = std::move(listener); }

  // --- users ---
  const UserRecord* FindUser(std::string_view id) const;
  size_t user_count() const { return users_.size(); }
  absl::Status CreateUser(std::string_view id, const UserWrite& write);  // 409 if it exists
  absl::Status PutUser(std::string_view id, const UserWrite& write);     // creates or updates
  absl::StatusOr<bool> IsConnected(std::string_view id) const;
  void SetConnected(std::string_view id, bool connected);

  // --- conversations ---
  absl::Status CreateConversation(std::string_view id, const ConversationWrite& write);
  absl::Status PutConversation(std::string_view id, const ConversationWrite& write);
  bool HasConversation(std::string_view id) const { return FindConversation(id) != nullptr; }
  absl::StatusOr<wire::Conversation> GetConversation(std::string_view caller,
                                                     std::string_view id) const;
  // Position of a conversation in the list: newest activity first, ties by id.
  using ConversationPosition = std::pair<UnixMillis, std::string>;
  absl::StatusOr<Page<wire::Conversation>> ListConversations(
      std::string_view caller, const ConversationFilter& filter, size_t limit,
      const std::optional<ConversationPosition>& after) const;
  absl::Status MarkRead(std::string_view caller, std::string_view id);
  absl::Status MarkUnread(std::string_view caller, std::string_view id);

  // --- participants ---
  enum class JoinMode { kCreate, kUpdate, kCreateOrUpdate };
  absl::Status WriteParticipant(std::string_view caller, std::string_view conversation_id,
                                std::string_view user_id, JoinMode mode,
                                const ParticipantWrite& write);
  absl::Status RemoveParticipant(std::string_view caller, std::string_view conversation_id,
                                 std::string_view user_id);
  absl::StatusOr<wire::Participant> GetParticipant(std::string_view caller,
                                                   std::string_view conversation_id,
                                                   std::string_view user_id) const;
  // Newest joinedAt first, ties by user id.
  using ParticipantPosition = std::pair<UnixMillis, std::string>;
  absl::StatusOr<Page<wire::Participant>> ListParticipants(
      std::string_view caller, std::string_view conversation_id, size_t limit,
      const std::optional<ParticipantPosition>& after) const;

  // --- messages ---
  // The new message's id, or that of an earlier message with the same idempotency key.
  absl::StatusOr<std::string> SendMessage(std::string_view caller, std::string_view conversation_id,
                                          NewMessage message);
  absl::Status EditMessage(std::string_view caller, std::string_view conversation_id,
                           std::string_view message_id, const MessageWrite& write);
  absl::Status DeleteMessage(std::string_view caller, std::string_view conversation_id,
                             std::string_view message_id);
  absl::StatusOr<const MessageRecord*> GetMessage(std::string_view caller,
                                                  std::string_view conversation_id,
                                                  std::string_view message_id) const;
  // Newest first. Pointers hold until the next change.
  absl::StatusOr<Page<const MessageRecord*>> ListMessages(
      std::string_view caller, std::string_view conversation_id, size_t limit,
      const std::optional<MessageKey>& before) const;

  // --- reactions; `emoji` is normalised ---
  absl::Status AddReaction(std::string_view caller, std::string_view conversation_id,
                           std::string_view message_id, std::string_view emoji);
  absl::Status RemoveReaction(std::string_view caller, std::string_view conversation_id,
                              std::string_view message_id, std::string_view emoji);
  // Oldest first, ties by user id.
  using ReactionPosition = std::pair<UnixMillis, std::string>;
  absl::StatusOr<Page<ReactionRecord>> ListReactions(
      std::string_view caller, std::string_view conversation_id, std::string_view message_id,
      std::string_view emoji, size_t limit, const std::optional<ReactionPosition>& after) const;

  // --- searching, in what the caller is in and the filter lets through ---
  // Newest first. Pointers hold until the next change.
  struct MessageHits : Page<const MessageRecord*> {
    // Set if it looked at `most` messages without coming to an end: where to go on, as `before`.
    std::optional<MessageKey> stopped;
  };
  MessageHits SearchMessages(std::string_view caller, const SearchQuery& query,
                             const ConversationFilter& filter, size_t limit,
                             const std::optional<MessageKey>& before, size_t most = SIZE_MAX) const;
  // By subject, or by the custom property `search`. In the order of ListConversations.
  Page<wire::Conversation> SearchConversations(
      std::string_view caller, const SearchQuery& query, const ConversationFilter& filter,
      size_t limit, const std::optional<ConversationPosition>& after) const;

  // --- typing ---
  absl::Status MarkTyping(std::string_view caller, std::string_view conversation_id);
  // Others than the caller, with the time they started.
  absl::StatusOr<std::map<std::string, UnixMillis>> GetTyping(
      std::string_view caller, std::string_view conversation_id) const;
  // Ends the typing marks that are due.
  void ExpireTyping();
  MonoTime NextTypingEnd() const;  // kNever if nobody types

  // --- for the app's own servers (world_server.cc): on nobody's behalf, so without a caller's
  // limits. Pointers hold until the next change. ---
  const std::unordered_map<std::string, UserRecord>& users() const { return users_; }
  template <typename Visit>  // void(const ConversationRecord&), in no particular order
  void ForEachConversation(Visit visit) const {
    for (const auto& [id, conversation] : conversations_) visit(*conversation);
  }
  const ConversationRecord* LookUpConversation(std::string_view id) const;
  std::vector<const ConversationRecord*> ConversationsOf(std::string_view user_id) const;
  const MessageRecord* LookUpMessage(std::string_view conversation_id, std::string_view id) const;
  bool IsTyping(std::string_view user_id) const;  // anywhere
  absl::Status DeleteConversation(std::string_view id);
  // Deletes its messages, all at once.
  absl::Status ClearConversation(std::string_view id);
  absl::Status Admit(std::string_view conversation_id, std::string_view user_id, JoinMode mode,
                     const ParticipantWrite& write);
  absl::Status Dismiss(std::string_view conversation_id, std::string_view user_id);
  // Access "None": out of the conversation until he is admitted again, which takes up where he was.
  // 404 if he is neither in it nor shut out.
  absl::Status ShutOut(std::string_view conversation_id, std::string_view user_id);
  // Everything up to that time counts as read, everything later does not.
  absl::Status SetReadUntil(std::string_view conversation_id, std::string_view user_id,
                            UnixMillis until);
  // 400 unless `message` could be posted or imported.
  absl::Status CheckMessage(std::string_view conversation_id, const ServerMessage& message) const;
  absl::StatusOr<std::string> PostMessage(std::string_view conversation_id, ServerMessage message);
  // Without telling anybody, without looking at the idempotency key.
  absl::StatusOr<std::string> ImportMessage(std::string_view conversation_id,
                                            ServerMessage message);
  absl::Status EditAnyMessage(std::string_view conversation_id, std::string_view message_id,
                              const MessageWrite& write);
  absl::Status DeleteAnyMessage(std::string_view conversation_id, std::string_view message_id);
  // 404 for an unknown user. Taking back what is not there is no error.
  absl::Status SetReaction(std::string_view conversation_id, std::string_view message_id,
                           std::string_view emoji, std::string_view user_id, bool present);
  // Others than the sender.
  static std::vector<std::string> ReadersOf(const ConversationRecord& conversation,
                                            const MessageRecord& record);

  // --- the whole ---
  const MessageRecord* FindMessage(std::string_view id) const;
  uint64_t next_message_number() const { return next_message_number_; }
  // Oldest first.
  std::vector<SentRecord> SentKeys() const;
  // Takes the place of all there is, or of the users and conversations that it names. The records
  // must be whole: ids that name something, message numbers that are nobody else's. Who is in a
  // conversation hears that it went and came.
  void Replace(WorldRecords records);
  void Merge(WorldRecords records);

  // --- views ---
  static wire::Conversation SideOf(const ConversationRecord& conversation,
                                   const ParticipantRecord& participant);
  static bool IsUnread(const MessageRecord& record, const ParticipantRecord& participant);
  static wire::Participant ParticipantOf(const ParticipantRecord& record);
  // Who types, apart from `viewer`, and since when.
  static std::map<std::string, UnixMillis> OthersTyping(const ConversationRecord& conversation,
                                                        std::string_view viewer);
  // As `viewer` sees it.
  wire::Message MessageFor(std::string_view viewer, const MessageRecord& record) const;

 private:
  struct Side {
    ConversationRecord* conversation = nullptr;
    ParticipantRecord* participant = nullptr;
  };
  struct MessagePlace {
    std::string conversation_id;
    MessageKey key;
  };
  struct SentKey {
    std::string message_id;
    UnixMillis sent_at = 0;
  };

  template <typename T>
  void Tell(T&& change) {
    if (listener_) listener_(Change(std::forward<T>(change)));
  }
  // side.edited for everyone in the conversation whose counters are no longer what he was told.
  void TellSides(ConversationRecord& conversation);
  static SideCounters CountersOf(const ConversationRecord& conversation,
                                 const ParticipantRecord& participant, UnixMillis everyone);
  static UnixMillis EveryoneReadUntil(const ConversationRecord& conversation);

  ConversationRecord* FindConversation(std::string_view id) const;
  // The conversation and the caller's part in it: 404 or 403 if there is none.
  absl::StatusOr<Side> Enter(std::string_view caller, std::string_view id) const;
  using AcceptSide = std::function<bool(const wire::Conversation&)>;
  Page<wire::Conversation> PageOfConversations(
      std::string_view caller, const AcceptSide& accept, size_t limit,
      const std::optional<ConversationPosition>& after) const;
  struct EnteredMessage {
    ConversationRecord* conversation = nullptr;
    MessageRecord* record = nullptr;
  };
  absl::StatusOr<EnteredMessage> EnterMessage(std::string_view caller,
                                              std::string_view conversation_id,
                                              std::string_view message_id) const;
  // Of somebody who exists.
  absl::Status WriteMember(ConversationRecord& conversation, std::string_view user_id,
                           JoinMode mode, const ParticipantWrite& write);
  void RemoveMember(ConversationRecord& conversation, const std::string& user_id);
  void Join(ConversationRecord& conversation, std::string_view user_id,
            const ParticipantWrite& write);
  void EditParticipant(ConversationRecord& conversation, ParticipantRecord& participant,
                       const ParticipantWrite& write);
  absl::StatusOr<EnteredMessage> FindAnyMessage(std::string_view conversation_id,
                                                std::string_view message_id) const;
  MessageRecord& AddMessage(ConversationRecord& conversation, MessageKey key, NewMessage message);
  // Everything that follows from a message that was just sent.
  void AfterSending(ConversationRecord& conversation, const MessageRecord& record);
  void Edit(EnteredMessage entered, const MessageWrite& write);
  void Delete(EnteredMessage entered);
  absl::Status React(EnteredMessage entered, std::string_view user_id, std::string_view emoji);
  // False if there was nothing to take back.
  bool Unreact(EnteredMessage entered, std::string_view user_id, std::string_view emoji);
  static void CountUnread(const ConversationRecord& conversation, ParticipantRecord& participant);
  // Now, or just after `newest` where that would be the same millisecond.
  UnixMillis TimeAfter(UnixMillis newest) const;
  UnixMillis TimeForMessage(const ConversationRecord& conversation);
  void StopTyping(ConversationRecord& conversation, const std::string& user_id);
  static wire::UserDiff ApplyUser(UserRecord& user, const UserWrite& write);
  const std::string* FindSent(const std::string& key);
  void RememberSent(const std::string& key, const std::string& message_id);

  using Users = std::unordered_map<std::string, UserRecord>;
  // Puts them in place; `before` are the users that clients know.
  void Install(WorldRecords records, const Users& before);
  void InstallSent(std::vector<SentRecord> records);
  void InstallConversation(ConversationRecord record);
  // Takes it out of all indexes; the record is the caller's already.
  void Uninstall(const ConversationRecord& conversation);

  const Clock& clock_;
  Random& random_;
  std::function<void(const Change&)> listener_;
  std::unordered_map<std::string, UserRecord> users_;
  std::unordered_map<std::string, std::unique_ptr<ConversationRecord>> conversations_;
  std::unordered_map<std::string, std::set<std::string>> conversations_of_;  // by user id
  std::unordered_map<std::string, MessagePlace> messages_;                   // by message id
  uint64_t next_message_number_ = 1;
  UnixMillis last_message_at_ = 0;  // newest time given to a message, imported ones apart
  UnixMillis last_joined_at_ = 0;   // over all conversations
  std::unordered_map<std::string, SentKey> sent_;  // by sender and idempotency key
  std::deque<std::string> sent_order_;
  std::set<std::pair<MonoTime, std::pair<std::string, std::string>>> typing_ends_;
  std::set<std::string, std::less<>> connected_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_WORLD_H_
