// SPDX-License-Identifier: Apache-2.0
#include "format.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>

namespace keyhole::cli {
namespace {

/// Length of the valid UTF-8 sequence at `at`; 0 where there is none.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead > 0xF4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  const unsigned char second = byte(at + 1);  // overlong forms, surrogates, beyond U+10FFFF
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
      (lead == 0xF4 && second > 0x8F))
    return 0;
  return length;
}

/// Control characters: C0, DEL and C1 (U+0080 to U+009F, which some terminals obey).
bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return sequence.size() == 2 && first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
}

std::string clean(std::string_view text, std::size_t width, bool keep_newlines) {
  std::string out;
  std::size_t used = 0, last = 0;  // last: where the column before the limit begins
  for (std::size_t at = 0; at < text.size();) {
    if (used == width) {
      out.resize(last);
      return out + "…";
    }
    last = out.size();
    const std::size_t length = sequence_length(text, at);
    const std::string_view sequence = text.substr(at, length == 0 ? 1 : length);
    if (length == 0)
      out += "\uFFFD";
    else if (keep_newlines && sequence == "\n")
      out += '\n';
    else if (is_control(sequence))
      out += ' ';
    else
      out += sequence;
    at += sequence.size();
    ++used;
  }
  return out;
}

}  // namespace

std::string seconds_text(double seconds) {
  if (seconds < 0 || !std::isfinite(seconds)) return "-";
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string size_text(std::int64_t bytes) {
  static constexpr std::array kUnits = {"KB", "MB", "GB", "TB", "PB"};
  if (bytes < 0) return "-";
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.{}f} {}", value, value < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string time_text(Nanoseconds time, Nanoseconds now) {
  if (time == kUnknownTime) return "-";
  const auto local = [](Nanoseconds t) {
    const auto whole = static_cast<std::time_t>(t / 1'000'000'000);
    std::tm broken{};
    localtime_r(&whole, &broken);
    return broken;
  };
  const std::tm then = local(time), today = local(now);
  const bool same_day = then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
  char text[32];
  std::strftime(text, sizeof text, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &then);
  return text;
}

std::string count_text(std::int64_t n, std::string_view singular, std::string_view plural) {
  if (n == 1) return fmt::format("1 {}", singular);
  return plural.empty() ? fmt::format("{} {}s", n, singular) : fmt::format("{} {}", n, plural);
}

std::string shorten(std::string_view text, std::size_t width) {
  return clean(text, width, false);
}

std::string printable(std::string_view text) {
  return clean(text, std::string_view::npos, true);
}

std::size_t columns(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  const std::size_t used = columns(text);
  if (used < width) out.append(width - used, ' ');
  return out;
}

std::string shell_word(std::string_view word) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string out = "'";
  for (const char c : word) c == '\'' ? void(out += "'\\''") : void(out += c);
  return out + "'";
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    out += shell_word(word);
  }
  return out;
}

std::string program_text(const std::vector<std::string>& argv) {
  std::vector<std::string> words = argv;
  const auto base = [](std::string& word) {
    if (const auto slash = word.rfind('/'); slash != std::string::npos && slash + 1 < word.size())
      word.erase(0, slash + 1);
  };
  if (!words.empty()) base(words[0]);
  if (words.size() > 1 && words[0].starts_with("python") && !words[1].starts_with('-')) base(words[1]);
  return shell_line(words);
}

}  // namespace keyhole::cli
