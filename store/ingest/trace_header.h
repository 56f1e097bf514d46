// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "keyhole/base/records.h"

namespace keyhole {

/// After torch._dynamo.reset() the compile ids of a process begin anew: CompileId::attempt is raised by so much for
/// each reset before.
inline constexpr std::int64_t kAttemptsPerReset = 1000;

/// The time of a header line: the machine's local time, without a year and without a time zone.
struct LocalTime {
  int month = 0, day = 0;
  std::int64_t within_day = 0;  ///< nanoseconds since midnight
};

/// `V1121 09:59:15.043000 15419 torch/_dynamo/utils.py:2350] {"chromium_event": …` (torch/_logging/_internal.py)
struct TraceHeader {
  LocalTime time;
  std::int64_t pid = -1;
  std::string_view json;  ///< from the opening brace

  static std::optional<TraceHeader> parse(std::string_view line);
};

/// Turns local times into absolute ones. The offset to UTC and the year come from events that hold both (chromium
/// events carry an absolute time); without any, the year in which the file was written last, and UTC, are assumed.
class TraceClock {
 public:
  explicit TraceClock(Nanoseconds file_modified);
  void calibrate(const LocalTime& local, Nanoseconds utc);
  [[nodiscard]] bool calibrated() const { return calibrated_; }
  /// kUnknownTime where there is nothing to go by.
  [[nodiscard]] Nanoseconds utc(const LocalTime& local) const;

 private:
  Nanoseconds near_ = kUnknownTime;  // a time close to which the records lie
  Nanoseconds offset_ = 0;           // local minus UTC
  bool calibrated_ = false;
};

}  // namespace keyhole
