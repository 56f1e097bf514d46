// SPDX-License-Identifier: Apache-2.0
#include "json_cursor.h"
#include "utf8.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace keyhole {
namespace {

constexpr int kMaxNesting = 512;

/// The closing quote of a string whose first character is at `at`; nullptr: there is none.
const char* closing_quote(const char* at, const char* end) {
  const char* begin = at;
  while (at < end) {
    const char* quote = static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
    if (!quote) return nullptr;
    const char* back = quote;
    while (back > begin && back[-1] == '\\') --back;
    if ((quote - back) % 2 == 0) return quote;
    at = quote + 1;
  }
  return nullptr;
}

bool hex4(std::string_view text, std::size_t at, std::uint32_t& out) {
  if (at + 4 > text.size()) return false;
  std::uint32_t value = 0;
  const auto [stop, error] = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
  if (error != std::errc{} || stop != text.data() + at + 4) return false;
  out = value;
  return true;
}

}  // namespace

void JsonCursor::space() {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
}

bool JsonCursor::broken() {
  ok_ = false;
  at_ = end_;
  return false;
}

char JsonCursor::peek() {
  space();
  return at_ < end_ ? *at_ : '\0';
}

bool JsonCursor::take(char c) {
  if (peek() != c) return broken();
  ++at_;
  return true;
}

bool JsonCursor::enter(char open) {
  if (!ok_ || peek() != open) {
    skip();
    return false;
  }
  ++at_;
  first_ = true;
  return true;
}

std::optional<std::string_view> JsonCursor::next_key() {
  if (peek() == '}') {
    ++at_;
    first_ = false;
    return std::nullopt;
  }
  if (!first_ && !take(',')) return std::nullopt;
  first_ = false;
  if (!take('"')) return std::nullopt;
  const char* quote = closing_quote(at_, end_);
  if (!quote) {
    broken();
    return std::nullopt;
  }
  const std::string_view key(at_, static_cast<std::size_t>(quote - at_));
  at_ = quote + 1;
  if (!take(':')) return std::nullopt;
  return key;
}

bool JsonCursor::next_element() {
  if (peek() == ']') {
    ++at_;
    first_ = false;
    return false;
  }
  if (!first_ && !take(',')) return false;
  first_ = false;
  return ok_ && peek() != '\0' ? true : broken();
}

std::string_view JsonCursor::scalar() {
  const char* begin = at_;
  while (at_ < end_ && !std::strchr(",]} \n\t\r", *at_)) ++at_;
  if (at_ == begin) broken();
  return {begin, static_cast<std::size_t>(at_ - begin)};
}

void JsonCursor::skip() {
  first_ = false;
  int depth = 0;
  do {
    const char c = peek();
    if (c == '\0') {
      broken();
      return;
    }
    if (c == '"') {
      const char* quote = closing_quote(at_ + 1, end_);
      if (!quote) {
        broken();
        return;
      }
      at_ = quote + 1;
    } else if (c == '{' || c == '[') {
      ++at_;
      if (++depth > kMaxNesting) {
        broken();
        return;
      }
    } else if (c == '}' || c == ']') {
      if (depth == 0) {
        broken();
        return;
      }
      ++at_;
      --depth;
    } else if (depth > 0 && (c == ',' || c == ':')) {
      ++at_;
    } else {
      scalar();
      if (!ok_) return;
    }
  } while (depth > 0);
}

std::string_view JsonCursor::raw() {
  space();
  const char* begin = at_;
  skip();
  return ok_ ? std::string_view(begin, static_cast<std::size_t>(at_ - begin)) : std::string_view();
}

std::optional<std::string_view> JsonCursor::raw_string() {
  if (peek() != '"') {
    skip();
    return std::nullopt;
  }
  const char* quote = closing_quote(at_ + 1, end_);
  if (!quote) {
    broken();
    return std::nullopt;
  }
  const std::string_view text(at_ + 1, static_cast<std::size_t>(quote - at_ - 1));
  at_ = quote + 1;
  first_ = false;
  return text;
}

std::optional<std::string> JsonCursor::string() {
  const auto text = raw_string();
  if (!text) return std::nullopt;
  std::string decoded;
  unescape(*text, decoded);
  return decoded;
}

std::optional<std::int64_t> JsonCursor::integer() {
  const std::string_view text = raw();
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || text.empty()) return std::nullopt;
  if (stop == text.data() + text.size()) return value;
  double precise = 0;  // 926.0, 1e9
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), precise);
  if (parsed.ec != std::errc{} || !(std::fabs(precise) < 9e18)) return std::nullopt;
  return static_cast<std::int64_t>(precise);
}

std::optional<double> JsonCursor::number() {
  const std::string_view text = raw();
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> JsonCursor::boolean() {
  const std::string_view text = raw();
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

void JsonCursor::unescape(std::string_view raw, std::string& out) {
  std::size_t at = 0;
  while (at < raw.size()) {
    const char* slash = static_cast<const char*>(std::memchr(raw.data() + at, '\\', raw.size() - at));
    const std::size_t stop = slash ? static_cast<std::size_t>(slash - raw.data()) : raw.size();
    out.append(raw, at, stop - at);
    if (stop + 1 >= raw.size()) return;
    const char c = raw[stop + 1];
    at = stop + 2;
    switch (c) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case 'r':
        out += '\r';
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'u': {
        std::uint32_t code = 0xfffd, low = 0;
        if (hex4(raw, at, code)) at += 4;
        if (code >= 0xd800 && code < 0xdc00 && raw.substr(at, 2) == "\\u" && hex4(raw, at + 2, low) && low >= 0xdc00 &&
            low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          at += 6;
        } else if (code >= 0xd800 && code < 0xe000) {
          code = 0xfffd;
        }
        append_utf8(code, out);
        break;
      }
      default:
        out += c;
    }
  }
}

}  // namespace keyhole
