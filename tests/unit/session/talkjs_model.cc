#include "tests/unit/session/talkjs_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/wire/json.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/event_service.pb.h"

namespace talkjsd::session {
namespace {

namespace json = boost::json;
namespace v1 = talkjs::sidecar::v1;

constexpr char kPrefix[] = "/me/conversations/";

std::string MessagesPath(const std::string& conversation) {
  return kPrefix + conversation + "/messages";
}

wire::ContentBlock Text(const std::string& text) {
  wire::ContentBlock block;
  wire::TextNode node;
  node.text = text;
  block.children.push_back(node);
  return block;
}

UnixMillis ToMillis(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1000 + time.nanos() / 1'000'000;
}

upstream::Reply Ok(json::value data) {
  return {200, std::make_shared<json::value>(std::move(data))};
}

upstream::Reply PageOf(json::array items, json::value cursor) {
  json::object page;
  page["data"] = std::move(items);
  page["cursor"] = std::move(cursor);
  return Ok(std::move(page));
}

upstream::Reply Refuse(int status, const char* code) {
  return {status, std::make_shared<json::value>(json::value{
                      {"errorCode", code}, {"reasons", json::array{"as the test wants"}}})};
}

}  // namespace

TalkModel::TalkModel(ManualClock& clock, int message_subscriptions)
    : clock_(clock),
      options_{"ses_1", kMe, message_subscriptions},
      inbox_(std::make_unique<Inbox>(options_, this, clock, random_)) {
  inbox_->Start();
}

TalkModel::~TalkModel() = default;

// --- people ---

int64_t TalkModel::UnreadCount(const Conversation& conversation) const {
  return std::count_if(conversation.posts.begin(), conversation.posts.end(), [&](const Post& post) {
    return post.message.created_at > conversation.read_until && post.message.sender_id != kMe;
  });
}

wire::Conversation TalkModel::SideOf(const std::string& id) const {
  const Conversation& conversation = conversations_.at(id);
  wire::Conversation side;
  side.id = id;
  if (!conversation.subject.empty()) side.subject = conversation.subject;
  side.joined_at = conversation.joined_at;
  side.created_at = conversation.joined_at;
  side.last_message_at = std::max(conversation.joined_at, conversation.deleted_last_at);
  if (!conversation.posts.empty()) {
    side.last_message_at =
        std::max(side.last_message_at, conversation.posts.back().message.created_at);
  }
  side.unread_message_count = UnreadCount(conversation);
  side.is_unread = side.unread_message_count > 0 || conversation.marked_unread;
  side.read_until = conversation.read_until;
  return side;
}

wire::ConversationDiff TalkModel::Changed(const std::string& id, const wire::Conversation& before) {
  const wire::Conversation after = SideOf(id);
  wire::ConversationDiff diff;
  if (after.last_message_at != before.last_message_at) diff.last_message_at = after.last_message_at;
  if (after.unread_message_count != before.unread_message_count) {
    diff.unread_message_count = after.unread_message_count;
  }
  if (after.is_unread != before.is_unread) diff.is_unread = after.is_unread;
  if (after.read_until != before.read_until) diff.read_until = after.read_until;
  return diff;
}

void TalkModel::Publish(std::vector<wire::Event> events, const std::string& path) {
  if (!connected_ && !keeps_state_) return;
  if (!subscriptions_.contains(path) || loses_events) return;
  FromServer frame;
  frame.events = std::move(events);
  to_client_.push_back(std::move(frame));
}

void TalkModel::Inject(std::vector<wire::Event> events) {
  FromServer frame;
  frame.events = std::move(events);
  to_client_.push_back(std::move(frame));
}

void TalkModel::Join(const std::string& id) {
  Conversation& conversation = conversations_[id];
  conversation.in = true;
  conversation.marked_unread = false;
  conversation.joined_at = conversation.read_until = clock_.WallMillis();
  Publish({wire::SideCreated{SideOf(id)}});
}

void TalkModel::Leave(const std::string& id) {
  conversations_.at(id).in = false;
  Publish({wire::SideDeleted{id}});
}

std::string TalkModel::Say(const std::string& id, const std::string& sender,
                           const std::string& text) {
  Conversation& conversation = conversations_.at(id);
  const wire::Conversation before = SideOf(id);
  Post post;
  post.number = ++last_number_;
  post.message.id = "msg_" + std::to_string(post.number);
  post.message.sender_id = sender;
  post.message.created_at = clock_.WallMillis();
  post.message.origin = "rest";
  post.message.content.push_back(Text(text));
  conversation.posts.push_back(post);
  if (sender == kMe) {
    conversation.read_until = post.message.created_at;
    conversation.marked_unread = false;
  }
  if (!conversation.in) return post.message.id;
  wire::SideEdited edited{id, Changed(id, before)};
  edited.diff.last_message_at = post.message.created_at;
  std::vector<wire::Event> events;
  if (subscriptions_.contains(MessagesPath(id))) {
    events.push_back(wire::MessageCreated{id, post.message});
  }
  if (events_apart && !events.empty()) {
    Publish(std::move(events));
    events.clear();
  }
  events.push_back(std::move(edited));
  Publish(std::move(events));
  return post.message.id;
}

void TalkModel::Edit(const std::string& id, const std::string& message, const std::string& text) {
  Conversation& conversation = conversations_.at(id);
  for (Post& post : conversation.posts) {
    if (post.message.id != message) continue;
    wire::MessageEdited edited{id, message, {}};
    edited.diff.content = std::vector<wire::ContentBlock>{Text(text)};
    edited.diff.edited_at = wire::Patch<UnixMillis>::Of(clock_.WallMillis());
    edited.diff.ApplyTo(post.message);
    if (conversation.in) Publish({edited}, MessagesPath(id));
  }
}

void TalkModel::React(const std::string& id, const std::string& message) {
  wire::MessageEdited edited{id, message, {}};
  std::map<std::string, std::optional<wire::ReactionDiff>> reactions;
  reactions["+1"] = wire::ReactionDiff{1, clock_.WallMillis(), false};
  edited.diff.reactions = wire::Patch<decltype(reactions)>::Of(reactions);
  Publish({edited}, MessagesPath(id));
}

void TalkModel::Delete(const std::string& id, const std::string& message) {
  Conversation& conversation = conversations_.at(id);
  const auto it = std::find_if(conversation.posts.begin(), conversation.posts.end(),
                               [&](const Post& post) { return post.message.id == message; });
  if (it == conversation.posts.end()) return;
  const wire::Conversation before = SideOf(id);
  const bool was_last = std::next(it) == conversation.posts.end();
  conversation.posts.erase(it);
  if (!conversation.in) return;
  wire::MessageDeleted deleted{id, message, {}};
  if (was_last) {
    deleted.new_last_message.present = true;
    if (!conversation.posts.empty()) {
      deleted.new_last_message.value = conversation.posts.back().message;
    }
  }
  Publish({deleted}, MessagesPath(id));
  Publish({wire::SideEdited{id, Changed(id, before)}});
}

void TalkModel::Read(const std::string& id) {
  const wire::Conversation before = SideOf(id);
  conversations_.at(id).read_until = clock_.WallMillis();
  conversations_.at(id).marked_unread = false;
  if (conversations_.at(id).in) Publish({wire::SideEdited{id, Changed(id, before)}});
}

void TalkModel::MarkUnread(const std::string& id) {
  const wire::Conversation before = SideOf(id);
  conversations_.at(id).marked_unread = true;
  if (conversations_.at(id).in) Publish({wire::SideEdited{id, Changed(id, before)}});
}

std::vector<UnreadEntry> TalkModel::ExpectedUnreads() const {
  std::vector<std::pair<UnixMillis, UnreadEntry>> found;
  for (const auto& [id, conversation] : conversations_) {
    if (!conversation.in || conversation.posts.empty()) continue;
    const wire::Conversation side = SideOf(id);
    if (!side.is_unread) continue;
    found.push_back({side.last_message_at,
                     {id, side.unread_message_count, conversation.posts.back().message.id}});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<UnreadEntry> entries;
  for (auto& [time, entry] : found) entries.push_back(std::move(entry));
  return entries;
}

// --- connection ---

void TalkModel::Connect() {
  EXPECT_FALSE(connected_);
  connected_ = true;
  const bool state_kept = std::exchange(keeps_state_, false);
  if (!state_kept) {
    subscriptions_.clear();
    for (const std::string& path : wanted_) to_server_.push_back({{"SUBSCRIBE", path}, nullptr});
  }
  inbox_->OnLoggedIn(state_kept);
}

void TalkModel::Disconnect(bool announced) {
  EXPECT_TRUE(connected_);
  connected_ = false;
  keeps_state_ = announced;
  if (announced) {
    // Answers on their way are lost, the questions come again; events are kept, subscriptions made.
    std::deque<FromClient> again;
    std::deque<FromServer> events;
    for (FromServer& frame : std::exchange(to_client_, {})) {
      if (frame.question.done) {
        again.push_back(std::move(frame.question));
      } else {
        events.push_back(std::move(frame));
      }
    }
    subscriptions_ = wanted_;
    for (FromClient& frame : std::exchange(to_server_, {})) {
      if (frame.done) again.push_back(std::move(frame));
    }
    to_client_ = std::move(events);
    to_server_ = std::move(again);
    inbox_->OnDisconnected();
    return;
  }
  subscriptions_.clear();
  auto unanswered = std::exchange(to_server_, {});
  auto undelivered = std::exchange(to_client_, {});
  inbox_->OnDisconnected();
  const absl::Status lost = absl::UnavailableError("lost");
  for (FromServer& frame : undelivered) {
    if (frame.question.done) frame.question.done(lost);
  }
  for (FromClient& frame : unanswered) {
    if (frame.done) frame.done(lost);
  }
}

void TalkModel::OnSynced() {
  ++synced;
  if (checkpoint_.has_value()) return;
  checkpoint_ = inbox_->coverage();
  checkpoint_at_ = clock_.WallMillis();
}

void TalkModel::TakeCheckpoint() {
  const std::optional<Coverage> coverage = inbox_->TakeCoverage();
  if (!checkpoint_.has_value() || !coverage.has_value()) return;
  EXPECT_GE(coverage->covered_until, checkpoint_->covered_until);
  EXPECT_GE(coverage->appended_since, checkpoint_->appended_since);
  checkpoint_ = coverage;
  checkpoint_at_ = clock_.WallMillis();
}

void TalkModel::Restart() {
  connected_ = keeps_state_ = false;
  wake_ = kNever;
  inbox_ = nullptr;
  to_server_.clear();
  to_client_.clear();
  subscriptions_.clear();
  wanted_.clear();
  inbox_ = std::make_unique<Inbox>(options_, this, clock_, random_);
  if (checkpoint_.has_value()) {
    Restored restored{*checkpoint_, checkpoint_at_, {}};
    for (const Appended& entry : appended) {
      if (entry.kind != journal::EventKind::kSent) continue;
      if (entry.appended_at < checkpoint_->appended_since) continue;
      Seen& seen = restored.conversations[entry.conversation_id];
      seen.emitted.Add(entry.message_id);
      seen.seen_at = std::max(seen.seen_at, entry.created_at);
    }
    inbox_->Restore(std::move(restored));
  }
  inbox_->Start();
}

bool TalkModel::ServerStep() {
  if (!connected_ || to_server_.empty()) return false;
  FromClient frame = std::move(to_server_.front());
  to_server_.pop_front();
  if (frame.request.method == "SUBSCRIBE") {
    if (!refused.contains(frame.request.path)) subscriptions_.insert(frame.request.path);
  } else if (frame.request.method == "UNSUBSCRIBE") {
    subscriptions_.erase(frame.request.path);
  } else if (auto reply = Answer(frame.request)) {
    FromServer answer;
    answer.question = std::move(frame);
    answer.reply = *std::move(reply);
    to_client_.push_back(std::move(answer));
  }
  return true;
}

void TalkModel::AcceptRefused() {
  for (const std::string& path : std::exchange(refused, {})) {
    subscriptions_.insert(path);
    FromServer answer;
    answer.subscribed_late = path;
    to_client_.push_back(std::move(answer));
  }
}

bool TalkModel::ClientStep() {
  if (!connected_ || to_client_.empty()) return false;
  FromServer frame = std::move(to_client_.front());
  to_client_.pop_front();
  if (frame.question.done) {
    frame.question.done(std::move(frame.reply));
  } else if (!frame.subscribed_late.empty()) {
    inbox_->OnSubscribedLate(frame.subscribed_late);
  } else {
    ++frames;
    const upstream::AckTicket ticket(&acknowledged, [this](const void*) { ++acknowledged; });
    inbox_->OnEvents(std::move(frame.events), ticket);
  }
  return true;
}

bool TalkModel::WakeStep() {
  if (wake_ > clock_.Now()) return false;
  wake_ = kNever;
  inbox_->Tick();
  EXPECT_GT(wake_, clock_.Now()) << "the inbox would keep the loop busy";
  return true;
}

void TalkModel::RunIdle() {
  while (ServerStep() || ClientStep() || WakeStep()) {
  }
}

void TalkModel::Settle(Duration limit) {
  const MonoTime end = clock_.Now() + limit;
  RunIdle();
  while (wake_ <= end) {
    clock_.Advance(std::max<Duration>(wake_ - clock_.Now(), std::chrono::milliseconds(1)));
    RunIdle();
  }
}

// --- answers ---

std::optional<upstream::Reply> TalkModel::Answer(const upstream::Request& request) {
  if (fault) {
    if (const std::optional<int> status = fault(request)) {
      if (*status == 0) return std::nullopt;
      return Refuse(*status, "FAULT");
    }
  }
  if (request.path == "/users") return GetUsers(request.data);
  if (request.path == "/me/conversations") return ListConversations(request.data);
  const auto segments = wire::SplitPath(request.path);
  EXPECT_TRUE(segments.has_value() && segments->size() >= 3) << request.path;
  const auto it = conversations_.find((*segments)[2]);
  if (it == conversations_.end()) return Refuse(404, "CONVERSATION_NOT_FOUND");
  if (!it->second.in) return Refuse(403, "NOT_A_PARTICIPANT");
  if (segments->size() == 3) return Ok(wire::EncodeConversation(SideOf(it->first)));
  if (segments->size() == 4) return ListMessages(it->second, request.data);
  for (const Post& post : it->second.posts) {
    if (post.message.id == (*segments)[4]) return Ok(wire::EncodeMessage(post.message));
  }
  return Refuse(404, "MESSAGE_NOT_FOUND");
}

upstream::Reply TalkModel::GetUsers(const std::string& data) const {
  json::object users;
  const json::value parsed = json::parse(data);
  for (const json::value& id : parsed.at("ids").as_array()) {
    const std::string name(id.as_string());
    if (unknown_users.contains(name)) continue;
    wire::User user;
    user.id = name;
    user.name = "Name of " + name;
    user.role = "default";
    users[name] = wire::EncodeUser(user);
  }
  return Ok(std::move(users));
}

upstream::Reply TalkModel::ListConversations(const std::string& data) const {
  const json::value request = json::parse(data);
  bool unread_only = false;
  std::optional<std::pair<UnixMillis, std::string>> after;  // (-time, id), in the order of the list
  if (const json::value* cursor = request.as_object().if_contains("cursor")) {
    const json::value place = json::parse(cursor->as_string());
    unread_only = place.at("unread").as_bool();
    if (!goes_in_circles)
      after = {-place.at("time").as_int64(), std::string(place.at("id").as_string())};
  } else {
    unread_only = request.at("filter").as_object().contains("isUnread");
  }
  std::map<std::pair<UnixMillis, std::string>, wire::Conversation> sides;
  for (const auto& [id, conversation] : conversations_) {
    if (!conversation.in) continue;
    wire::Conversation side = SideOf(id);
    if (unread_only && !side.is_unread) continue;
    const std::pair<UnixMillis, std::string> place{-side.last_message_at, id};
    if (after.has_value() && place <= *after) continue;
    sides[place] = std::move(side);
  }
  json::array items;
  json::value next = nullptr;
  for (const auto& [place, side] : sides) {
    if (items.size() == static_cast<size_t>(request.at("limit").as_int64())) {
      json::object cursor;
      cursor["unread"] = unread_only;
      cursor["time"] = items.back().at("lastMessageAt");
      cursor["id"] = items.back().at("id");
      next = json::serialize(cursor);
      break;
    }
    items.push_back(wire::EncodeConversation(side));
  }
  return PageOf(std::move(items), std::move(next));
}

upstream::Reply TalkModel::ListMessages(const Conversation& conversation, const std::string& data) {
  const json::value request = json::parse(data);
  const auto limit = static_cast<size_t>(request.at("limit").as_int64());
  int64_t before = INT64_MAX;
  if (const json::value* cursor = request.as_object().if_contains("cursor")) {
    if (!goes_in_circles) before = std::stoll(std::string(cursor->as_string()));
  }
  json::array items;
  json::value next = nullptr;
  int64_t last = 0;
  auto it = std::partition_point(conversation.posts.begin(), conversation.posts.end(),
                                 [&](const Post& post) { return post.number < before; });
  while (it != conversation.posts.begin()) {
    --it;
    if (items.size() == limit) {
      next = std::to_string(last);
      break;
    }
    items.push_back(wire::EncodeMessage(it->message));
    last = it->number;
  }
  return PageOf(std::move(items), std::move(next));
}

// --- InboxHost ---

void TalkModel::Call(upstream::Request request, upstream::CallDone done) {
  EXPECT_TRUE(connected_) << "asked while not logged in: " << request.path;
  log.push_back(request.method + " " + request.path + " " + request.data);
  to_server_.push_back({std::move(request), std::move(done)});
}

void TalkModel::SubscribeUsers(const std::vector<std::string>&) {}
void TalkModel::UnsubscribeUser(const std::string&) {}

void TalkModel::Subscribe(std::string path) {
  log.push_back("SUBSCRIBE " + path);
  EXPECT_TRUE(wanted_.insert(path).second) << "subscribed twice: " << path;
  if (connected_) to_server_.push_back({{"SUBSCRIBE", std::move(path)}, nullptr});
}

void TalkModel::Unsubscribe(const std::string& path) {
  log.push_back("UNSUBSCRIBE " + path);
  EXPECT_EQ(wanted_.erase(path), 1u) << "not subscribed: " << path;
  if (connected_) to_server_.push_back({{"UNSUBSCRIBE", path}, nullptr});
}

void TalkModel::Append(journal::NewEvent event) {
  v1::StreamMessagesResponse response;
  ASSERT_TRUE(response.ParseFromString(event.bytes));
  ASSERT_EQ(response.events_size(), 1);
  const v1::MessageEvent& decoded = response.events(0);
  EXPECT_EQ(decoded.session_id(), "ses_1");
  EXPECT_EQ(event.session_id, "ses_1");
  if (decoded.has_gap() && decoded.gap().reason() == v1::GAP_REASON_UPSTREAM_INCOMPLETE) {
    EXPECT_EQ(event.kind, journal::EventKind::kGap);
    EXPECT_EQ(event.conversation_id, decoded.gap().conversation_id());
    ++incomplete;
    return;
  }
  if (decoded.has_gap()) {
    EXPECT_EQ(event.kind, journal::EventKind::kUncertainEdits);
    EXPECT_EQ(decoded.gap().reason(), v1::GAP_REASON_UPSTREAM_UNCERTAIN);
    ++gaps;
    return;
  }
  Appended entry;
  entry.kind = event.kind;
  entry.appended_at = clock_.WallMillis();
  entry.recovered = decoded.recovered();
  entry.by_me = event.by_me;
  if (decoded.has_deleted()) {
    entry.conversation_id = decoded.deleted().conversation_id();
    entry.message_id = decoded.deleted().message_id();
  } else {
    const v1::Message& message = decoded.has_sent() ? decoded.sent() : decoded.edited();
    EXPECT_EQ(event.kind,
              decoded.has_sent() ? journal::EventKind::kSent : journal::EventKind::kEdited);
    EXPECT_EQ(message.is_by_me(), event.by_me);
    entry.conversation_id = message.conversation().id();
    entry.message_id = message.id();
    entry.body = message.body();
    if (message.has_sender()) entry.sender_name = message.sender().name();
    entry.created_at = ToMillis(message.create_time());
  }
  EXPECT_EQ(entry.conversation_id, event.conversation_id);
  appended.push_back(std::move(entry));
}

void TalkModel::PutUnreads(std::string encoded) {
  v1::StreamUnreadsResponse response;
  ASSERT_TRUE(response.ParseFromString(encoded));
  UnreadsList list;
  list.stale = response.unreads().stale();
  list.as_of = ToMillis(response.unreads().as_of_time());
  for (const v1::UnreadConversation& entry : response.unreads().conversations()) {
    list.entries.push_back(
        {entry.conversation().id(), entry.unread_message_count(), entry.last_message().id()});
  }
  unreads.push_back(std::move(list));
}

std::vector<std::string> TalkModel::Sent(const std::string& conversation) const {
  std::vector<std::string> ids;
  for (const Appended& entry : appended) {
    if (entry.kind != journal::EventKind::kSent) continue;
    if (conversation.empty() || entry.conversation_id == conversation) {
      ids.push_back(entry.message_id);
    }
  }
  return ids;
}

int TalkModel::Count(const std::string& prefix) const {
  return static_cast<int>(std::count_if(log.begin(), log.end(), [&](const std::string& line) {
    return line.compare(0, prefix.size(), prefix) == 0;
  }));
}

}  // namespace talkjsd::session
