// Calls about participants (realtime.md 6.4).
#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/calls/router.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/model/encode.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

absl::Status Perform(const Call& call, const json::value& action) {
  const json::object* object = action.if_object();
  if (object == nullptr) return BadRequest("actions: expected objects");
  const auto id = RequiredText(*object, "id");
  if (!id.ok()) return id.status();
  const auto method = RequiredText(*object, "method");
  if (!method.ok()) return method.status();
  World::JoinMode mode = World::JoinMode::kCreateOrUpdate;
  if (*method == "POST") {
    mode = World::JoinMode::kCreate;
  } else if (*method == "PATCH") {
    mode = World::JoinMode::kUpdate;
  } else if (*method != "PUT") {
    return BadRequest("method: expected PUT, POST or PATCH");
  }
  ParticipantWrite write;
  if (const json::value* params = Find(*object, "params")) {
    if (!params->is_object()) return BadRequest("params: expected an object");
    auto read = ReadParticipantWrite(params->get_object());
    if (!read.ok()) return read.status();
    write = *read;
  }
  return call.world.WriteParticipant(call.caller, call.args[0], *id, mode, write);
}

// Several actions, each with its own answer.
CallResult WriteParticipants(const Call& call) {
  const json::value* actions = Find(call.data, "actions");
  const json::array* list = actions == nullptr ? nullptr : actions->if_array();
  if (list == nullptr || list->empty() || list->size() > kMaxParticipantActions) {
    return BadRequest("actions: expected a list of 1 to 100");
  }
  if (!call.world.HasConversation(call.args[0])) return ConversationNotFound();
  json::array responses;
  for (const json::value& action : *list) {
    const absl::Status status = Perform(call, action);
    if (status.ok()) {
      responses.push_back(json::object{{"status", 200}, {"data", json::object()}});
      continue;
    }
    const Refusal refusal = RefusalOf(status);
    json::object response = EncodeRefusal(refusal);
    response["status"] = refusal.status;
    responses.push_back(std::move(response));
  }
  return json::object{{"responses", std::move(responses)}};
}

// One without a batch; the SDK makes no such call.
template <World::JoinMode mode>
CallResult WriteParticipant(const Call& call) {
  const auto write = ReadParticipantWrite(call.data);
  if (!write.ok()) return write.status();
  const auto status =
      call.world.WriteParticipant(call.caller, call.args[0], call.args[1], mode, *write);
  if (!status.ok()) return status;
  return json::object();
}

CallResult RemoveParticipant(const Call& call) {
  const auto status = call.world.RemoveParticipant(call.caller, call.args[0], call.args[1]);
  if (!status.ok()) return status;
  return json::object();
}

CallResult ListParticipants(const Call& call) {
  const auto limit = ReadLimit(call.data, kParticipantPage, kMaxParticipantPage);
  if (!limit.ok()) return limit.status();
  const auto after = ReadTimeAndId(call.data);
  if (!after.ok()) return after.status();
  const auto page = call.world.ListParticipants(call.caller, call.args[0], *limit, *after);
  if (!page.ok()) return page.status();
  json::array items;
  json::array last;
  for (const wire::Participant& participant : page->items) {
    items.push_back(wire::EncodeParticipant(participant));
    last = {participant.joined_at, participant.id};
  }
  return EncodePage(std::move(items), page->more, last);
}

CallResult GetParticipant(const Call& call) {
  const auto participant = call.world.GetParticipant(call.caller, call.args[0], call.args[1]);
  if (!participant.ok()) return participant.status();
  return wire::EncodeParticipant(*participant);
}

}  // namespace

void AddParticipantCalls(Router& router) {
  router.Add("POST", "conversations/*/participants", WriteParticipants);
  using Mode = World::JoinMode;
  constexpr std::string_view kOne = "conversations/*/participants/*";
  router.Add("PUT", kOne, WriteParticipant<Mode::kCreateOrUpdate>);
  router.Add("POST", kOne, WriteParticipant<Mode::kCreate>);
  router.Add("PATCH", kOne, WriteParticipant<Mode::kUpdate>);
  router.Add("DELETE", kOne, RemoveParticipant);
  router.Add("GET", "me/conversations/*/participants", ListParticipants);
  router.Add("GET", "me/conversations/*/participants/*", GetParticipant);
}

}  // namespace talkjsd::emulator
