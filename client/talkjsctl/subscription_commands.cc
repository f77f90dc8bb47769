// talkjsctl subscription ...
#include <iostream>

#include "client/talkjsctl/commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {

using client::Status;

int SubscriptionList(const GlobalOptions& global) {
  client::Client client = MakeClient(global);
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "OPEN", "LAST USED", "EXPIRES", "CURSOR", "SESSIONS"}};
  v1::ListSubscriptionsRequest request;
  do {
    v1::ListSubscriptionsResponse response;
    const Status status = client.ListSubscriptions(request, &response);
    if (!status.ok()) return Fail("cannot list subscriptions", status);
    for (const v1::Subscription& subscription : response.subscriptions()) {
      if (global.json) {
        std::cout << ToJsonLine(subscription);
        continue;
      }
      std::string sessions = subscription.session_ids().empty() ? "all" : "";
      for (const std::string& id : subscription.session_ids()) {
        if (!sessions.empty()) sessions.push_back(' ');
        sessions.append(id);
      }
      rows.push_back({subscription.name(), subscription.has_stream_id() ? "yes" : "no",
                      FormatTime(subscription.has_last_use_time(), subscription.last_use_time()),
                      FormatTime(subscription.has_expire_time(), subscription.expire_time()),
                      CursorToHex(subscription.acknowledged_cursor()), sessions});
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (!global.json) std::cout << Table(rows);
  return FinishOutput();
}

int SubscriptionDelete(const GlobalOptions& global, const std::string& name) {
  client::Client client = MakeClient(global);
  v1::DeleteSubscriptionRequest request;
  request.set_name(name);
  v1::DeleteSubscriptionResponse response;
  const Status status = client.DeleteSubscription(request, &response);
  if (!status.ok()) return Fail("cannot delete the subscription", status);
  return FinishOutput();
}

}  // namespace talkjsd::talkjsctl
