#include "daemon/emulator/rest/limits.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/http/http_request.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace {

using Seconds = std::chrono::duration<double>;

net::ServerResponse TooMany(Duration wait) {
  net::ServerResponse response = RefusalResponse(
      Refuse(429, "TOO_MANY_REQUESTS", "the REST API's limit of rate: wait, and try again"));
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  response.headers = {{"Access-Control-Allow-Origin", "*"},
                      {"Retry-After", std::to_string(std::max<int64_t>(1, seconds))}};
  return response;
}

}  // namespace

void TokenBucket::Fill(MonoTime now) {
  tokens_ = std::min(burst_, tokens_ + Seconds(now - filled_).count() * per_second_);
  filled_ = now;
}

bool TokenBucket::Take(MonoTime now) {
  Fill(now);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

MonoTime TokenBucket::NextAt(MonoTime now) {
  Fill(now);
  if (tokens_ >= 1) return now;
  // Rounded up: a token is whole then, whatever the fractions add up to.
  constexpr double kMicros = 1e6;
  const double wait = std::ceil((1 - tokens_) / per_second_ * kMicros) + 1;
  return now + std::chrono::microseconds(static_cast<int64_t>(wait));
}

RestLimits::RestLimits(App& app, bool enabled, net::HttpServer::RequestHandler respond)
    : app_(app),
      enabled_(enabled),
      respond_(std::move(respond)),
      ordinary_(kRestBurst, kRestPerSecond, app.clock().Now()),
      batches_(kBatchBurst, kBatchPerSecond, app.clock().Now()),
      turn_(app.virtual_clock(), [this] { AdmitWaiting(); }) {}

RestLimits::Kind RestLimits::KindOf(const net::ServerRequest& request) const {
  if (!enabled_) return Kind::kUnlimited;
  const HttpTarget target = SplitTarget(request.target);
  if (!target.path || target.path->size() < 4) return Kind::kUnlimited;
  const auto& path = *target.path;
  const bool rest = path[0] == "public_api" && path[1] == "v1" &&
                    path[2] == app_.authenticator().app_id() && path[3] != "me";
  if (!rest || !app_.authenticator().CheckServer(BearerTokenOf(request)).ok()) {
    return Kind::kUnlimited;
  }
  return path[3] == "batch" ? Kind::kBatch : Kind::kOrdinary;
}

void RestLimits::Respond(net::ServerRequest request, net::HttpServer::Respond respond) {
  const Kind kind = KindOf(request);
  if (kind == Kind::kUnlimited) return respond_(std::move(request), std::move(respond));
  const MonoTime now = app_.clock().Now();
  TokenBucket& bucket = kind == Kind::kBatch ? batches_ : ordinary_;
  if (waiting_.empty() || kind != Kind::kBatch) {
    if (bucket.Take(now)) return respond_(std::move(request), std::move(respond));
  }
  if (kind == Kind::kOrdinary || waiting_.size() >= kMaxWaitingBatches) {
    return respond(TooMany(bucket.NextAt(now) - now));
  }
  waiting_.push_back({std::move(request), std::move(respond)});
  turn_.Set(bucket.NextAt(now));
}

void RestLimits::AdmitWaiting() {
  while (!waiting_.empty() && batches_.Take(app_.clock().Now())) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    respond_(std::move(next.request), std::move(next.respond));
  }
  if (!waiting_.empty()) turn_.Set(batches_.NextAt(app_.clock().Now()));
}

}  // namespace talkjsd::emulator
