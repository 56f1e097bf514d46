// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_hex(std::string& out, std::uint32_t value, int digits) {
  while (digits-- > 0) out += kHex[(value >> (4 * digits)) & 15];
}

char quote_for(std::string_view text) {
  return text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
}

// The escapes that bytes and text share. False: `c` is not one of them.
bool append_escaped(std::string& out, std::uint32_t c, char quote) {
  switch (c) {
    case '\t':
      out += "\\t";
      return true;
    case '\n':
      out += "\\n";
      return true;
    case '\r':
      out += "\\r";
      return true;
    case '\\':
      out += "\\\\";
      return true;
    default:
      break;
  }
  if (c == static_cast<unsigned char>(quote)) {
    out += '\\';
    out += quote;
    return true;
  }
  if (c >= 0x20 && c < 0x7f) {
    out += static_cast<char>(c);
    return true;
  }
  return false;
}

// One code point of UTF-8; a byte that begins none is given as 0xdc00 + byte, as Python's surrogateescape reads it.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const int length = first < 0x80                    ? 1
                     : first >= 0xf0 && first < 0xf5 ? 4
                     : first >= 0xe0 && first < 0xf0 ? 3
                     : first >= 0xc2 && first < 0xe0 ? 2
                                                     : 0;
  if (length == 1) return text[at++] & 0x7f;
  const auto bad = [&] { return ++at, 0xdc00u + first; };
  if (length == 0 || at + static_cast<std::size_t>(length) > text.size()) return bad();
  std::uint32_t c = first & (0x7fu >> length);
  for (int i = 1; i < length; ++i) {
    const unsigned char next = byte(at + static_cast<std::size_t>(i));
    if ((next & 0xc0) != 0x80) return bad();
    c = c << 6 | (next & 0x3fu);
  }
  if ((length == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) || (length == 4 && (c < 0x10000 || c > 0x10ffff)))
    return bad();
  at += static_cast<std::size_t>(length);
  return c;
}

// What str.isprintable() of Python refuses, of the ranges that are in use: separators, format and control characters,
// surrogates, private use. Code points that no version of Unicode assigns count as printable here.
bool printable(std::uint32_t c) {
  struct Range {
    std::uint32_t first, last;
  };
  static constexpr Range kRefused[] = {{0x00, 0x1f},       {0x7f, 0xa0},       {0xad, 0xad},       {0x600, 0x605},
                                       {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x1680, 0x1680},
                                       {0x180e, 0x180e},   {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},
                                       {0x3000, 0x3000},   {0xd800, 0xf8ff},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},
                                       {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
                                       {0xe0000, 0xe007f}, {0xf0000, 0x10ffff}};
  for (const Range& range : kRefused)
    if (c >= range.first && c <= range.last) return false;
  return true;
}

}  // namespace

std::string python_repr_bytes(std::string_view bytes) {
  const char quote = quote_for(bytes);
  std::string out = "b";
  out += quote;
  for (const char c : bytes) {
    if (append_escaped(out, static_cast<unsigned char>(c), quote)) continue;
    out += "\\x";
    append_hex(out, static_cast<unsigned char>(c), 2);
  }
  return out += quote;
}

std::string python_repr_text(std::string_view text) {
  const char quote = quote_for(text);
  std::string out(1, quote);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::uint32_t c = next_code_point(text, at);
    if (append_escaped(out, c, quote)) continue;
    if (printable(c)) {
      out += text.substr(begin, at - begin);
    } else if (c < 0x100) {
      out += "\\x";
      append_hex(out, c, 2);
    } else if (c < 0x10000) {
      out += "\\u";
      append_hex(out, c, 4);
    } else {
      out += "\\U";
      append_hex(out, c, 8);
    }
  }
  return out += quote;
}

}  // namespace keyhole
