// TalkJS's limits of rate for the REST API, in front of whoever answers it.
#ifndef TALKJSD_EMULATOR_REST_LIMITS_H_
#define TALKJSD_EMULATOR_REST_LIMITS_H_

#include <deque>

#include "daemon/emulator/app.h"
#include "daemon/net/http_server.h"

namespace talkjsd::emulator {

// A bucket of tokens that fills up by itself. Plain value; times never go back.
class TokenBucket {
 public:
  // Full at first.
  TokenBucket(double burst, double per_second, MonoTime now)
      : burst_(burst), per_second_(per_second), tokens_(burst), filled_(now) {}

  bool Take(MonoTime now);
  // When Take will succeed if nothing else is taken before.
  MonoTime NextAt(MonoTime now);

 private:
  void Fill(MonoTime now);

  const double burst_;
  const double per_second_;
  double tokens_;
  MonoTime filled_;
};

// A server's request handler, wrapped around another: calls with the bearer of an app's server are
// let through at the pace that decisions.h names, batches wait for their turn up to a number, and
// what is too much is answered 429. Everything else passes. Goes by the app's time. Lives on the
// app's loop; the app outlives it.
class RestLimits {
 public:
  // Not `enabled`: everything passes.
  RestLimits(App& app, bool enabled, net::HttpServer::RequestHandler respond);

  void Respond(net::ServerRequest request, net::HttpServer::Respond respond);

 private:
  enum class Kind { kUnlimited, kOrdinary, kBatch };
  Kind KindOf(const net::ServerRequest& request) const;
  void AdmitWaiting();

  struct Waiting {
    net::ServerRequest request;
    net::HttpServer::Respond respond;
  };

  App& app_;
  const bool enabled_;
  const net::HttpServer::RequestHandler respond_;
  TokenBucket ordinary_;
  TokenBucket batches_;
  std::deque<Waiting> waiting_;  // batches
  VirtualTimer turn_;            // of the first of them
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_REST_LIMITS_H_
