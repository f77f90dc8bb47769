// Tokens from local clients on ProvideTokens.
#ifndef TALKJSD_UPSTREAM_PROVIDER_TOKEN_SOURCE_H_
#define TALKJSD_UPSTREAM_PROVIDER_TOKEN_SOURCE_H_

#include <memory>
#include <string>

#include "daemon/net/event_loop.h"
#include "daemon/upstream/token_broker.h"
#include "daemon/upstream/token_fetcher.h"
#include "daemon/upstream/token_source.h"

namespace talkjsd::upstream {

// Asks through the broker, which outlives it. A provider that is absent, fails, or answers too late
// or badly is TokenResult::kTrouble; `news` when one has come and the last request ended so.
std::unique_ptr<TokenSource> MakeProviderTokenSource(ProviderFetcher fetcher,
                                                     std::string session_id, TokenOwner owner,
                                                     TokenBroker& broker, net::EventLoop& loop,
                                                     TokenSource::News news);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_PROVIDER_TOKEN_SOURCE_H_
