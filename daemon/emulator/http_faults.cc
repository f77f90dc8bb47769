#include "daemon/emulator/http_faults.h"

#include <utility>

#include "daemon/emulator/control/control.h"
#include "daemon/emulator/realtime/connection.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace {

using Fate = net::ServerResponse::Fate;

net::ServerResponse Broken(Fate fate) {
  net::ServerResponse response;
  response.fate = fate;
  return response;
}

net::ServerResponse RefusalFor(const FaultAction& fault) {
  net::ServerResponse response;
  response.status = fault.status;
  response.headers = {{"Access-Control-Allow-Origin", "*"}};
  response.body = boost::json::serialize(wire::EncodeErrorData(fault.error_code, fault.reasons));
  return response;
}

std::string_view PathOf(const net::ServerRequest& request) {
  const std::string_view target = request.target;
  return target.substr(0, target.find('?'));
}

}  // namespace

HttpFaults::HttpFaults(App& app, net::HttpServer::RequestHandler respond,
                       net::HttpServer::UpgradeHandler upgrade)
    : app_(app), respond_(std::move(respond)), upgrade_(std::move(upgrade)) {}

// Whom a path names, or a bearer token that is valid.
std::string HttpFaults::UserOf(const net::ServerRequest& request) const {
  const auto path = wire::SplitPath(PathOf(request));
  if (path && path->size() == 5 && ((*path)[3] == "realtime" || (*path)[3] == "bokens")) {
    return (*path)[4];
  }
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view token = request.Header("Authorization");
  if (!token.starts_with(kScheme)) return "";
  token.remove_prefix(kScheme.size());
  auto login = app_.authenticator().CheckAnyUser(token);
  return login.ok() ? std::move(login->user_id) : "";
}

std::optional<FaultAction> HttpFaults::Find(FaultPoint point, const net::ServerRequest& request) {
  if (!app_.faults().Watches(point) || IsForControl(request.target)) return std::nullopt;
  const std::string user = UserOf(request);
  return app_.faults().Find({point, user, request.method, PathOf(request), nullptr});
}

std::unique_ptr<net::ServerSocketHandler> HttpFaults::Upgrade(const net::ServerRequest& request) {
  std::unique_ptr<net::ServerSocketHandler> handler = upgrade_(request);
  auto* connection = dynamic_cast<Connection*>(handler.get());
  if (connection == nullptr) return handler;
  const auto fault = Find(FaultPoint::kConnect, request);
  if (!fault) return handler;
  switch (fault->kind) {
    case FaultKind::kStatus:
    case FaultKind::kDrop:
    case FaultKind::kReset:
      refused_upgrade_ = fault;
      return nullptr;
    default:
      connection->SetFaultAtOpen(*fault);
      return handler;
  }
}

void HttpFaults::Respond(net::ServerRequest request, net::HttpServer::Respond respond) {
  auto fault = std::exchange(refused_upgrade_, std::nullopt);
  if (!fault) fault = Find(FaultPoint::kHttp, request);
  if (!fault) return respond_(std::move(request), std::move(respond));
  switch (fault->kind) {
    case FaultKind::kDrop:
      return respond(Broken(Fate::kDrop));
    case FaultKind::kReset:
      return respond(Broken(Fate::kReset));
    case FaultKind::kLose:
      return respond_(std::move(request), [respond = std::move(respond)](net::ServerResponse) {
        respond(Broken(Fate::kDrop));
      });
    case FaultKind::kStatus:
      return respond(RefusalFor(*fault));
    case FaultKind::kDelay:
      return Delay(std::move(request), std::move(respond), fault->time);
    default:
      return respond_(std::move(request), std::move(respond));
  }
}

void HttpFaults::Delay(net::ServerRequest request, net::HttpServer::Respond respond,
                       Duration time) {
  waiting_.push_front({std::move(request), std::move(respond), nullptr});
  const auto place = waiting_.begin();
  place->timer = std::make_unique<net::Timer>(app_.loop(), [this, place] {
    Waiting due = std::move(*place);
    waiting_.erase(place);
    respond_(std::move(due.request), std::move(due.respond));
  });
  place->timer->Set(app_.wire_clock().Now() + time);
}

}  // namespace talkjsd::emulator
