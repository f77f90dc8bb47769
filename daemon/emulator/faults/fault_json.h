// Fault rules as the control endpoint reads and shows them. For .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_FAULTS_FAULT_JSON_H_
#define TALKJSD_EMULATOR_FAULTS_FAULT_JSON_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/emulator/faults/faults.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

// {"on", "action", and what both need}; docs/emulator.md has the table. 400 naming the property for
// anything unknown, or that does not fit the action or the point.
absl::StatusOr<FaultRule> ReadFaultRule(const wire::json::object& data);

// All that was given, with "id", "matched", "fired", and "remaining" where `times` limits it.
wire::json::object EncodeFaultRule(const FaultRule& rule);

// The "code" (default 1011) and "reason" of a close frame.
struct CloseFrame {
  uint16_t code = 1011;
  std::string reason;
};
absl::StatusOr<CloseFrame> ReadClose(const wire::json::object& data);

// How long after its announcement a restart happens, unless told otherwise.
inline constexpr int64_t kRestartMillis = 100;

// For properties of more than faults: nullopt if absent; 400 naming the property.
absl::StatusOr<std::optional<int64_t>> ReadWhole(const wire::json::object& data,
                                                 std::string_view name, int64_t low, int64_t high);
absl::StatusOr<std::optional<std::string>> ReadText(const wire::json::object& data,
                                                    std::string_view name);
absl::StatusOr<bool> ReadFlag(const wire::json::object& data, std::string_view name);
// 400 naming the first property that is none of `known`.
absl::Status CheckNames(const wire::json::object& data,
                        std::initializer_list<std::string_view> known);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_FAULTS_FAULT_JSON_H_
