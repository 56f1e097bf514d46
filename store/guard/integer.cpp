// SPDX-License-Identifier: Apache-2.0
#include "integer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace keyhole {
namespace {

using Limbs = std::vector<std::uint32_t>;

void trim(Limbs& limbs) {
  while (!limbs.empty() && limbs.back() == 0) limbs.pop_back();
}

std::strong_ordering compare(const Limbs& a, const Limbs& b) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  for (std::size_t i = a.size(); i-- > 0;)
    if (a[i] != b[i]) return a[i] <=> b[i];
  return std::strong_ordering::equal;
}

Limbs sum(const Limbs& a, const Limbs& b) {
  Limbs out;
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()) || carry != 0; ++i) {
    carry += (i < a.size() ? a[i] : 0ull) + (i < b.size() ? b[i] : 0ull);
    out.push_back(static_cast<std::uint32_t>(carry));
    carry >>= 32;
  }
  return out;
}

Limbs difference(const Limbs& a, const Limbs& b) {  // a >= b
  Limbs out(a);
  std::int64_t borrow = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    borrow += static_cast<std::int64_t>(a[i]) - (i < b.size() ? b[i] : 0);
    out[i] = static_cast<std::uint32_t>(borrow);
    borrow >>= 32;
  }
  trim(out);
  return out;
}

std::size_t bit_count(const Limbs& limbs) {
  return limbs.empty() ? 0 : 32 * limbs.size() - static_cast<std::size_t>(std::countl_zero(limbs.back()));
}

bool bit(const Limbs& limbs, std::size_t i) {
  return i / 32 < limbs.size() && ((limbs[i / 32] >> (i % 32)) & 1) != 0;
}

// Schoolbook, bit by bit: 2048 bits at most, and only where a value outgrew 64.
void divide_magnitudes(const Limbs& a, const Limbs& b, Limbs& quotient, Limbs& remainder) {
  quotient.assign(a.size(), 0);
  remainder.clear();
  for (std::size_t i = bit_count(a); i-- > 0;) {
    std::uint32_t carry = bit(a, i) ? 1 : 0;
    for (std::uint32_t& limb : remainder) {
      const std::uint32_t next = limb >> 31;
      limb = limb << 1 | carry;
      carry = next;
    }
    if (carry != 0) remainder.push_back(carry);
    if (compare(remainder, b) >= 0) {
      remainder = difference(remainder, b);
      quotient[i / 32] |= 1u << (i % 32);
    }
  }
  trim(quotient);
}

// The top 64 bits with a last bit that stands for all that was cut, so that rounding to double is right; and the
// exponent.
std::pair<std::uint64_t, int> top_bits(const Limbs& limbs) {
  const std::size_t bits = bit_count(limbs);
  const std::size_t cut = bits > 64 ? bits - 64 : 0;
  std::uint64_t top = 0;
  for (std::size_t i = bits; i-- > cut;) top = top << 1 | (bit(limbs, i) ? 1 : 0);
  for (std::size_t i = 0; i < cut; ++i)
    if (bit(limbs, i)) return {top | 1, static_cast<int>(cut)};
  return {top, static_cast<int>(cut)};
}

}  // namespace

Integer::Limbs Integer::magnitude() const {
  if (!is_small()) return limbs_;
  const std::uint64_t m = small_ < 0 ? 0 - static_cast<std::uint64_t>(small_) : static_cast<std::uint64_t>(small_);
  Limbs limbs = {static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(m >> 32)};
  trim(limbs);
  return limbs;
}

bool Integer::make(bool negative, Limbs limbs, Integer& out) {
  trim(limbs);
  if (limbs.size() > kMaxLimbs) return false;
  if (limbs.size() <= 2) {
    const std::uint64_t m =
        (limbs.size() > 1 ? static_cast<std::uint64_t>(limbs[1]) << 32 : 0) | (limbs.empty() ? 0 : limbs[0]);
    constexpr std::uint64_t kHalf = 1ull << 63;
    if (m < kHalf || (negative && m == kHalf)) {
      out = Integer(static_cast<std::int64_t>(negative ? 0 - m : m));
      return true;
    }
  }
  out.small_ = 0;
  out.negative_ = negative;
  out.limbs_ = std::move(limbs);
  return true;
}

bool Integer::parse_decimal(std::string_view digits, Integer& out) {
  Limbs limbs;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
    std::uint64_t carry = static_cast<std::uint64_t>(c - '0');
    for (std::uint32_t& limb : limbs) {
      carry += limb * 10ull;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) limbs.push_back(static_cast<std::uint32_t>(carry));
    if (limbs.size() > kMaxLimbs) return false;
  }
  return !digits.empty() && make(false, std::move(limbs), out);
}

bool Integer::truncate(double finite, Integer& out) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(finite), &exponent);
  if (exponent <= 0) return out = Integer(0), true;
  std::uint64_t mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  int shift = exponent - 53;
  if (shift < 0) mantissa >>= -shift, shift = 0;
  Limbs limbs(static_cast<std::size_t>(shift) / 32 + 3, 0);
  const std::size_t at = static_cast<std::size_t>(shift) / 32;
  const unsigned within = static_cast<unsigned>(shift) % 32;
  const auto wide = static_cast<unsigned __int128>(mantissa) << within;
  for (std::size_t i = 0; i < 3; ++i) limbs[at + i] = static_cast<std::uint32_t>(wide >> (32 * i));
  return make(finite < 0, std::move(limbs), out);
}

double Integer::to_double() const {
  if (is_small()) return static_cast<double>(small_);
  const auto [top, exponent] = top_bits(limbs_);
  return std::ldexp(static_cast<double>(top), exponent) * (negative_ ? -1 : 1);
}

bool Integer::add_signed(const Integer& a, const Integer& b, bool negate_b, Integer& out) {
  const Limbs x = a.magnitude(), y = b.magnitude();
  const bool negative_a = a.sign() < 0, negative_b = (b.sign() < 0) != negate_b;
  if (negative_a == negative_b) return make(negative_a, sum(x, y), out);
  return compare(x, y) >= 0 ? make(negative_a, difference(x, y), out) : make(negative_b, difference(y, x), out);
}

bool Integer::add(const Integer& a, const Integer& b, Integer& out) {
  std::int64_t small = 0;
  if (a.is_small() && b.is_small() && !__builtin_add_overflow(a.small_, b.small_, &small)) return out = small, true;
  return add_signed(a, b, false, out);
}

bool Integer::subtract(const Integer& a, const Integer& b, Integer& out) {
  std::int64_t small = 0;
  if (a.is_small() && b.is_small() && !__builtin_sub_overflow(a.small_, b.small_, &small)) return out = small, true;
  return add_signed(a, b, true, out);
}

bool Integer::multiply(const Integer& a, const Integer& b, Integer& out) {
  std::int64_t small = 0;
  if (a.is_small() && b.is_small() && !__builtin_mul_overflow(a.small_, b.small_, &small)) return out = small, true;
  const Limbs x = a.magnitude(), y = b.magnitude();
  if (x.size() + y.size() > kMaxLimbs + 1) return false;
  Limbs product(x.size() + y.size(), 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < y.size() || carry != 0; ++j) {
      carry += product[i + j] + (j < y.size() ? static_cast<std::uint64_t>(x[i]) * y[j] : 0);
      product[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  return make((a.sign() < 0) != (b.sign() < 0), std::move(product), out);
}

bool Integer::divide(const Integer& a, const Integer& b, Integer& quotient, Integer& remainder) {
  const bool differ = (a.sign() < 0) != (b.sign() < 0);
  if (a.is_small() && b.is_small() && b.small_ != -1) {
    std::int64_t q = a.small_ / b.small_, r = a.small_ % b.small_;
    if (r != 0 && differ) --q, r += b.small_;
    quotient = q;
    remainder = r;
    return true;
  }
  const Limbs divisor = b.magnitude();
  const bool negative_divisor = b.sign() < 0;
  Limbs q, r;
  divide_magnitudes(a.magnitude(), divisor, q, r);
  if (!r.empty() && differ) {  // towards minus infinity
    q = sum(q, {1});
    r = difference(divisor, r);
  }
  return make(differ, std::move(q), quotient) && make(negative_divisor, std::move(r), remainder);
}

double Integer::true_divide(const Integer& a, const Integer& b) {
  constexpr std::int64_t kExact = 1ll << 53;
  if (a.is_small() && b.is_small() && a.small_ <= kExact && a.small_ >= -kExact && b.small_ <= kExact &&
      b.small_ >= -kExact)
    return static_cast<double>(a.small_) / static_cast<double>(b.small_);
  // Shifted so that the quotient has at least 66 bits; what remains counts as a last bit.
  Limbs dividend = a.magnitude();
  const Limbs divisor = b.magnitude();
  const std::size_t wanted = bit_count(divisor) + 66;
  const std::size_t shift = wanted > bit_count(dividend) ? (wanted - bit_count(dividend) + 31) / 32 : 0;
  dividend.insert(dividend.begin(), shift, 0);
  Limbs q, r;
  divide_magnitudes(dividend, divisor, q, r);
  auto [top, exponent] = top_bits(q);
  if (!r.empty()) top |= 1;
  const double value = std::ldexp(static_cast<double>(top), exponent - 32 * static_cast<int>(shift));
  return a.sign() * b.sign() < 0 ? -value : value;
}

bool Integer::bitwise(Bits operation, const Integer& a, const Integer& b, Integer& out) {
  const auto apply = [operation](auto x, auto y) {
    return operation == Bits::And ? x & y : operation == Bits::Or ? x | y : x ^ y;
  };
  if (a.is_small() && b.is_small()) return out = Integer(apply(a.small_, b.small_)), true;
  // Two's complement of a width that holds both and a sign bit.
  const auto complement = [](const Integer& value, std::size_t width) {
    Limbs limbs = value.magnitude();
    limbs.resize(width, 0);
    if (value.sign() < 0) {
      for (std::uint32_t& limb : limbs) limb = ~limb;
      limbs = sum(limbs, {1});
      limbs.resize(width, 0);
    }
    return limbs;
  };
  const std::size_t width = std::max(a.magnitude().size(), b.magnitude().size()) + 1;
  Limbs x = complement(a, width);
  const Limbs y = complement(b, width);
  for (std::size_t i = 0; i < width; ++i) x[i] = apply(x[i], y[i]);
  const bool negative = (x.back() >> 31) != 0;
  if (negative) {
    for (std::uint32_t& limb : x) limb = ~limb;
    x = sum(x, {1});
  }
  return make(negative, std::move(x), out);
}

std::strong_ordering operator<=>(const Integer& a, const Integer& b) {
  if (a.is_small() && b.is_small()) return a.small_ <=> b.small_;
  if (a.sign() != b.sign()) return a.sign() <=> b.sign();
  return a.sign() < 0 ? compare(b.magnitude(), a.magnitude()) : compare(a.magnitude(), b.magnitude());
}

}  // namespace keyhole
