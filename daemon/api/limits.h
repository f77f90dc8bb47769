// The numbers that the protos' comments state, in one place.
#ifndef TALKJSD_API_LIMITS_H_
#define TALKJSD_API_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "daemon/base/clock.h"

namespace talkjsd::api {

// One request of any method, whatever the configuration says.
inline constexpr int kMaxRequestBytes = 64 << 20;

inline constexpr size_t kMaxIdBytes = 255;
inline constexpr size_t kMaxAppIdBytes = 64;
inline constexpr size_t kMaxSessionIdBytes = 64;
inline constexpr size_t kMaxRequestIdBytes = 128;
inline constexpr size_t kMaxTokenBytes = 16 << 10;
inline constexpr size_t kMaxSecretKeyBytes = 1024;
inline constexpr size_t kSignatureDigits = 64;
inline constexpr Duration kMinTokenLifetime = std::chrono::seconds(10);
inline constexpr Duration kMaxTokenLifetime = std::chrono::hours(24);
inline constexpr size_t kMaxFetcherHeaders = 32;
inline constexpr size_t kMaxHeaderBytes = 4096;
inline constexpr size_t kMaxTokenFieldBytes = 255;
inline constexpr size_t kMaxPathBytes = 4096;
inline constexpr Duration kMinFetchTimeout = std::chrono::milliseconds(100);
inline constexpr Duration kMaxFetchTimeout = std::chrono::seconds(60);

inline constexpr size_t kMaxNameBytes = 1000;
inline constexpr size_t kMaxUrlBytes = 2048;
inline constexpr size_t kMaxRoleBytes = 255;
inline constexpr size_t kMaxWelcomeMessageBytes = 10'000;
inline constexpr size_t kMinLocaleCharacters = 2;
inline constexpr size_t kMaxLocaleCharacters = 35;
inline constexpr size_t kMaxContacts = 20;
inline constexpr size_t kMaxEmailBytes = 320;
inline constexpr size_t kMaxPhoneBytes = 32;

inline constexpr size_t kMaxCustomKeys = 256;
inline constexpr size_t kMaxCustomKeyBytes = 255;
inline constexpr size_t kMaxCustomValueBytes = 10'000;

inline constexpr size_t kMaxSubjectBytes = 1000;
inline constexpr size_t kMaxWelcomeMessages = 20;
inline constexpr size_t kMaxOtherParticipants = 99;
inline constexpr size_t kMaxFilterAlternatives = 32;
inline constexpr size_t kMaxFilterKeys = 32;
inline constexpr size_t kMaxPredicateValues = 100;

// What one call to TalkJS may carry, as JSON: a larger frame could cost the connection.
inline constexpr size_t kMaxUpstreamBytes = 1'000'000;

inline constexpr size_t kMaxPushRegistrationBytes = 4096;

inline constexpr size_t kMaxTextCharacters = 10'000;
inline constexpr size_t kMaxFileTokenBytes = 4096;

inline constexpr int kDefaultPageSize = 100;
inline constexpr int kMaxPageSize = 1000;
inline constexpr size_t kMaxPageTokenBytes = 8192;
// Of TalkJS's lists: what is asked for by default, and TalkJS's limit.
inline constexpr int kConversationPage = 20;
inline constexpr int kMaxConversationPage = 30;
inline constexpr int kMessagePage = 30;
inline constexpr int kMaxMessagePage = 100;
inline constexpr size_t kMaxSelectedIds = 1000;
inline constexpr size_t kMaxSelectedKinds = 16;

// One response of StreamMessages.
inline constexpr size_t kMaxEventsPerResponse = 256;
inline constexpr size_t kMaxBytesPerResponse = 64 << 10;
inline constexpr Duration kProgressInterval = std::chrono::seconds(10);

inline constexpr size_t kMaxSubscriptionNameBytes = 128;
inline constexpr size_t kMaxStreamIdBytes = 64;
inline constexpr size_t kMaxQueryIdBytes = 64;

// A stream counts as stalled when its client has not taken a response for so long.
inline constexpr Duration kStallTime = std::chrono::seconds(10);

// How long a call without a deadline may take, and what a call with one leaves for the way back.
inline constexpr Duration kDefaultCallTimeout = std::chrono::seconds(10);
inline constexpr Duration kMaxAnswerMargin = std::chrono::milliseconds(100);

// How long DestroySession waits for the streams over the session to have ended.
inline constexpr Duration kStreamEndPatience = std::chrono::seconds(1);

inline constexpr Duration kRequestIdMemory = std::chrono::hours(24);
// Request ids remembered at most; the oldest leave first.
inline constexpr size_t kMaxRememberedRequests = 100'000;

}  // namespace talkjsd::api

#endif  // TALKJSD_API_LIMITS_H_
