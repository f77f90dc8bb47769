// Where a session's tokens come from: one class a kind of credentials. Each lives on the session's
// loop.
#ifndef TALKJSD_UPSTREAM_TOKEN_SOURCE_H_
#define TALKJSD_UPSTREAM_TOKEN_SOURCE_H_

#include <functional>
#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/secret.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_client.h"
#include "daemon/upstream/protocol.h"

namespace talkjsd::upstream {

class TokenSource {
 public:
  // Called once, on the loop, perhaps from within Get; never after the source's destruction.
  using Done = std::function<void(TokenResult)>;
  // Called on the loop when the source has news unasked: a token is worth asking for. Not from
  // within Get, never after the source's destruction.
  using News = std::function<void()>;

  virtual ~TokenSource() = default;
  // One request at a time: a new one makes the former one's answer void.
  virtual void Get(const NeedToken& need, Done done) = 0;
};

// Whom the tokens are for, and what every source needs.
struct TokenOwner {
  std::string app_id;
  std::string user_id;
  const Clock& clock;
};

// A token somebody supplied. When it expires or is refused, the session waits for another one.
std::unique_ptr<TokenSource> MakeStaticTokenSource(Secret token, const Clock& clock);

// Gives `first` at the first request, unless it has expired, and then what `next` gives.
std::unique_ptr<TokenSource> MakeFirstTokenSource(Secret first, std::unique_ptr<TokenSource> next,
                                                  const Clock& clock);

// Mints tokens with the app's secret key (realtime.md 4.3).
std::unique_ptr<TokenSource> MakeSigningKeyTokenSource(std::string app_id, std::string user_id,
                                                       Secret key, Duration lifetime,
                                                       const Clock& clock);

// Fetches "bokens" (realtime.md 4.2) with a legacy signature, or without one if it is empty.
// `internal_url`: the base.
std::unique_ptr<TokenSource> MakeBokenTokenSource(std::string internal_url, std::string app_id,
                                                  std::string user_id, Secret signature,
                                                  net::EventLoop& loop, net::HttpClient& http);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_TOKEN_SOURCE_H_
