// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/digest.h"

namespace keyhole {
namespace {

constexpr char kBase32[] = "abcdefghijklmnopqrstuvwxyz234567";

int value_of(char c) {
  if (c >= 'a' && c <= 'z') return c - 'a';
  if (c >= '2' && c <= '7') return c - '2' + 26;
  return -1;
}

}  // namespace

std::string Digest::base32() const {
  std::string text(51, '\0');
  for (int i = 0; i < 51; ++i) {
    const int bit = i * 5, byte = bit / 8, shift = bit % 8;
    const unsigned pair = unsigned{bytes[byte]} << 8 | (byte + 1 < 32 ? bytes[byte + 1] : 0U);
    text[i] = kBase32[pair >> (11 - shift) & 31];
  }
  return text;
}

std::string Digest::hex() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(64);
  for (const std::uint8_t b : bytes) {
    text += digits[b >> 4];
    text += digits[b & 15];
  }
  return text;
}

bool Digest::parse_base32(std::string_view text, Digest& out) {
  if (text.size() != 51 && text.size() != 52) return false;
  Digest d;
  for (int i = 0; i < 51; ++i) {
    const int v = value_of(text[i]);
    if (v < 0) return false;
    const int bit = i * 5, byte = bit / 8, shift = bit % 8;
    const unsigned pair = static_cast<unsigned>(v) << (11 - shift);
    d.bytes[byte] |= static_cast<std::uint8_t>(pair >> 8);
    if (byte + 1 < 32) d.bytes[byte + 1] |= static_cast<std::uint8_t>(pair);
  }
  if (text.size() == 52 && value_of(text[51]) < 0) return false;
  out = d;
  return true;
}

}  // namespace keyhole
