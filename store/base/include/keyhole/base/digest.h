// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace keyhole {

/// A SHA-256 digest, or the 255 bits of one that a 51-character base32 text carries (then the last bit is 0).
/// PyTorch prints digests as lower-case RFC 4648 base32 cut to 51 characters (SPEC: hash strategy "compact").
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  /// The first 51 characters of lower-case base32.
  [[nodiscard]] std::string base32() const;
  [[nodiscard]] std::string hex() const;
  [[nodiscard]] bool is_zero() const { return *this == Digest{}; }

  /// Reads 51 (or 52, the last ignored) characters of [a-z2-7]; false and `out` untouched where the text is not that.
  static bool parse_base32(std::string_view text, Digest& out);

  friend auto operator<=>(const Digest&, const Digest&) = default;
};

}  // namespace keyhole

template <>
struct std::hash<keyhole::Digest> {
  std::size_t operator()(const keyhole::Digest& d) const noexcept {
    std::size_t h;
    std::memcpy(&h, d.bytes.data(), sizeof h);
    return h;
  }
};
