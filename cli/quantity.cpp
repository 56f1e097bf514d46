// SPDX-License-Identifier: Apache-2.0
#include "quantity.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

namespace keyhole::cli {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr double kKiB = 1024, kSecond = 1e9, kDay = 86'400 * kSecond;
constexpr Unit kSizes[] = {{"", 1},
                           {"B", 1},
                           {"K", kKiB},
                           {"KB", 1e3},
                           {"KIB", kKiB},
                           {"M", kKiB* kKiB},
                           {"MB", 1e6},
                           {"MIB", kKiB* kKiB},
                           {"G", kKiB* kKiB* kKiB},
                           {"GB", 1e9},
                           {"GIB", kKiB* kKiB* kKiB},
                           {"T", kKiB* kKiB* kKiB* kKiB},
                           {"TB", 1e12},
                           {"TIB", kKiB* kKiB* kKiB* kKiB}};
constexpr Unit kAges[] = {{"S", kSecond}, {"M", 60 * kSecond}, {"H", 3600 * kSecond}, {"D", kDay}, {"W", 7 * kDay}};

/// A number that is not negative, and a unit behind it; absent where it is not that or is over `limit`.
template <std::size_t N>
std::optional<std::int64_t> parse(const std::string& text, const Unit (&units)[N], double limit) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || std::signbit(number)) return std::nullopt;
  std::string name(end, text.data() + text.size());
  if (name.starts_with(' ')) name.erase(0, 1);
  for (char& c : name)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  for (const Unit& unit : units)
    if (name == unit.name && number * unit.factor <= limit) return static_cast<std::int64_t>(number * unit.factor);
  return std::nullopt;
}

}  // namespace

Result<std::int64_t> parse_size(const std::string& text) {
  if (const auto bytes = parse(text, kSizes, std::ldexp(1.0, 62))) return *bytes;
  return fail(ErrorKind::usage, "\"" + text + "\" is no size", {}, "write it as 5GiB, 800MB or 4096");
}

Result<Nanoseconds> parse_age(const std::string& text) {
  if (const auto age = parse(text, kAges, 200 * 365 * kDay)) return *age;
  return fail(ErrorKind::usage, "\"" + text + "\" is no age", {}, "write it as 30d, 12h, 15m, 90s or 8w");
}

}  // namespace keyhole::cli
