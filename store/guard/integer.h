// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>
#include <vector>

namespace keyhole {

/// Python's int up to 2048 bits: a machine word as long as it fits, limbs beyond. Operations that would grow further
/// return false and leave `out` unspecified; sizes of tensors and their products stay far below.
class Integer {
 public:
  static constexpr std::size_t kMaxLimbs = 64;  // of 32 bits

  Integer() = default;
  Integer(std::int64_t value) : small_(value) {}  // NOLINT(google-explicit-constructor): a number is one
  static bool parse_decimal(std::string_view digits, Integer& out);
  static bool truncate(double finite, Integer& out);

  [[nodiscard]] bool is_small() const { return limbs_.empty(); }
  [[nodiscard]] std::int64_t small() const { return small_; }
  [[nodiscard]] int sign() const { return is_small() ? (small_ > 0) - (small_ < 0) : negative_ ? -1 : 1; }
  [[nodiscard]] bool odd() const { return is_small() ? (small_ & 1) != 0 : (limbs_[0] & 1) != 0; }
  /// Rounded to the nearest, ties to even; infinite where too large.
  [[nodiscard]] double to_double() const;

  static bool add(const Integer& a, const Integer& b, Integer& out);
  static bool subtract(const Integer& a, const Integer& b, Integer& out);
  static bool multiply(const Integer& a, const Integer& b, Integer& out);
  /// Floor division and the remainder with the divisor's sign; `b` is not 0.
  static bool divide(const Integer& a, const Integer& b, Integer& quotient, Integer& remainder);
  /// a / b as Python's true division rounds it; `b` is not 0.
  static double true_divide(const Integer& a, const Integer& b);
  enum class Bits : std::uint8_t { And, Or, Xor };
  static bool bitwise(Bits operation, const Integer& a, const Integer& b, Integer& out);

  friend std::strong_ordering operator<=>(const Integer& a, const Integer& b);
  friend bool operator==(const Integer& a, const Integer& b) { return (a <=> b) == 0; }

 private:
  using Limbs = std::vector<std::uint32_t>;  // little-endian, without leading zeros
  [[nodiscard]] Limbs magnitude() const;
  static bool make(bool negative, Limbs limbs, Integer& out);
  static bool add_signed(const Integer& a, const Integer& b, bool negate_b, Integer& out);

  std::int64_t small_ = 0;
  bool negative_ = false;
  Limbs limbs_;  // empty: the value is small_
};

}  // namespace keyhole
