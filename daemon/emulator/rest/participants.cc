// The REST API's calls about who is in a conversation, and what he has read.
#include <absl/strings/escaping.h>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/rest/call.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr char kNoAccess[] = "None";

RestResult PutParticipant(const RestCall& call) {
  const auto body = BodyObject(call);
  if (!body.ok()) return body.status();
  auto write = ReadParticipantWrite(**body);
  if (!write.ok()) return write.status();
  // Overwrites: what is not given goes back to its default.
  write->access.present = write->notify.present = true;
  return Done(
      call.world().Admit(call.args[0], call.args[1], World::JoinMode::kCreateOrUpdate, *write));
}

RestResult PatchParticipant(const RestCall& call) {
  const auto body = BodyObject(call);
  if (!body.ok()) return body.status();
  json::object changes = **body;
  const json::value* access = Find(changes, "access");
  const bool shut_out = access != nullptr && *access == kNoAccess;
  if (shut_out) changes.erase("access");
  const auto write = ReadParticipantWrite(changes);
  if (!write.ok()) return write.status();
  if (shut_out) return Done(call.world().ShutOut(call.args[0], call.args[1]));
  return Done(call.world().Admit(call.args[0], call.args[1], World::JoinMode::kUpdate, *write));
}

RestResult DeleteParticipant(const RestCall& call) {
  return Done(call.world().Dismiss(call.args[0], call.args[1]));
}

// 404 unless the user is in the conversation.
absl::Status CheckParticipant(const World& world, const std::string& conversation_id,
                              const std::string& user_id) {
  const ConversationRecord* conversation = world.LookUpConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  if (!conversation->participants.contains(user_id)) return ParticipantNotFound();
  return absl::OkStatus();
}

RestResult GetEmail(const RestCall& call) {
  const auto status = CheckParticipant(call.world(), call.args[0], call.args[1]);
  if (!status.ok()) return status;
  const std::string place = absl::BytesToHexString(call.args[0] + "\n" + call.args[1]);
  return json::value(json::object{{"emailAddress", place + "@inbound.invalid"}});
}

RestResult MarkRead(const RestCall& call) {
  const auto status = CheckParticipant(call.world(), call.args[0], call.args[1]);
  if (!status.ok()) return status;
  return Done(call.world().MarkRead(call.args[1], call.args[0]));
}

// The time, or that of the last message sent.
absl::StatusOr<UnixMillis> ReadUntil(const json::value& until,
                                     const ConversationRecord& conversation) {
  if (until.is_int64() && until.get_int64() >= 0) return until.get_int64();
  if (until != "sent") {
    return BadField("readUntil", "expected milliseconds since the epoch, or \"sent\"");
  }
  if (conversation.messages.empty()) return conversation.created_at;
  return conversation.messages.rbegin()->first.created_at;
}

// users/*/conversations/*
RestResult PatchSide(const RestCall& call) {
  const std::string& user = call.args[0];
  const std::string& conversation_id = call.args[1];
  const auto body = BodyObject(call);
  if (!body.ok()) return body.status();
  const auto status = CheckParticipant(call.world(), conversation_id, user);
  if (!status.ok()) return status;
  const json::value* until = Find(**body, "readUntil");
  const json::value* unread = Find(**body, "isUnread");
  if (unread != nullptr && *unread != json::value(true)) {
    return BadField("isUnread", "expected true; use readUntil to mark as read");
  }
  if (until == nullptr && unread == nullptr) return BadField("readUntil", "is required");
  if (until != nullptr) {
    const auto time = ReadUntil(*until, *call.world().LookUpConversation(conversation_id));
    if (!time.ok()) return time.status();
    const auto set = call.world().SetReadUntil(conversation_id, user, *time);
    if (!set.ok()) return set;
  }
  if (unread != nullptr) return Done(call.world().MarkUnread(user, conversation_id));
  return Done(absl::OkStatus());
}

// Participants are listed in their conversation.
RestResult NoParticipants(const RestCall&) {
  return Refuse(405, "METHOD_NOT_ALLOWED", "participants are part of the conversation: GET that");
}

}  // namespace

void AddRestParticipants(RestRouter& router) {
  router.Add("GET", "conversations/*/participants", NoParticipants);
  router.Add("PUT", "conversations/*/participants/*", PutParticipant);
  router.Add("PATCH", "conversations/*/participants/*", PatchParticipant);
  router.Add("DELETE", "conversations/*/participants/*", DeleteParticipant);
  router.Add("GET", "conversations/*/participants/*/email", GetEmail);
  router.Add("POST", "conversations/*/readBy/*", MarkRead);
  router.Add("PATCH", "users/*/conversations/*", PatchSide);
}

}  // namespace talkjsd::emulator
