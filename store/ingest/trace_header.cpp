// SPDX-License-Identifier: Apache-2.0
#include "trace_header.h"

#include <charconv>
#include <chrono>
#include <cstdlib>

namespace keyhole {
namespace {

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr Nanoseconds kQuarterHour = 900 * kSecond;

bool digits(std::string_view text, std::size_t at, std::size_t count, int& out) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    const char c = text[i];
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  out = value;
  return true;
}

/// The local time in the given year, as if it were UTC.
Nanoseconds in_year(const LocalTime& local, int year) {
  using namespace std::chrono;
  const sys_days date =
      std::chrono::year{year} / month{static_cast<unsigned>(local.month)} / day{static_cast<unsigned>(local.day)};
  return date.time_since_epoch().count() * 86400LL * kSecond + local.within_day;
}

int year_of(Nanoseconds utc) {
  using namespace std::chrono;
  return static_cast<int>(year_month_day{floor<days>(sys_seconds{seconds{utc / kSecond}})}.year());
}

/// The local time (as if UTC) in that year which brings it nearest to `near`.
Nanoseconds nearest(const LocalTime& local, Nanoseconds near) {
  const int year = year_of(near);
  Nanoseconds best = in_year(local, year);
  for (const int other : {year - 1, year + 1}) {
    const Nanoseconds candidate = in_year(local, other);
    if (std::llabs(candidate - near) < std::llabs(best - near)) best = candidate;
  }
  return best;
}

}  // namespace

std::optional<TraceHeader> TraceHeader::parse(std::string_view line) {
  // "V1121 09:59:15.043000 1 x:1] {}" is the shortest
  if (line.size() < 31 || line[0] < 'A' || line[0] > 'Z' || line[5] != ' ' || line[8] != ':' || line[11] != ':' ||
      line[14] != '.' || line[21] != ' ')
    return std::nullopt;
  TraceHeader header;
  int hour = 0, minute = 0, second = 0, micro = 0;
  if (!digits(line, 1, 2, header.time.month) || !digits(line, 3, 2, header.time.day) || !digits(line, 6, 2, hour) ||
      !digits(line, 9, 2, minute) || !digits(line, 12, 2, second) || !digits(line, 15, 6, micro))
    return std::nullopt;
  if (header.time.month < 1 || header.time.month > 12 || header.time.day < 1 || header.time.day > 31)
    return std::nullopt;
  header.time.within_day = ((hour * 60LL + minute) * 60 + second) * kSecond + micro * 1000LL;
  std::size_t at = 22;
  while (at < line.size() && line[at] == ' ') ++at;
  const auto [stop, error] = std::from_chars(line.data() + at, line.data() + line.size(), header.pid);
  if (error != std::errc{}) return std::nullopt;
  // path:line] {…
  at = line.find("] ", static_cast<std::size_t>(stop - line.data()));
  if (at == std::string_view::npos || at + 2 >= line.size() || line[at + 2] != '{') return std::nullopt;
  if (line[at - 1] < '0' || line[at - 1] > '9') return std::nullopt;
  header.json = line.substr(at + 2);
  return header;
}

TraceClock::TraceClock(Nanoseconds file_modified) : near_(file_modified) {}

void TraceClock::calibrate(const LocalTime& local, Nanoseconds utc) {
  const Nanoseconds difference = nearest(local, utc) - utc;
  const Nanoseconds half = difference >= 0 ? kQuarterHour / 2 : -kQuarterHour / 2;
  offset_ = (difference + half) / kQuarterHour * kQuarterHour;
  near_ = utc;
  calibrated_ = true;
}

Nanoseconds TraceClock::utc(const LocalTime& local) const {
  if (near_ == kUnknownTime) return kUnknownTime;
  return nearest(local, near_ + offset_) - offset_;
}

}  // namespace keyhole
