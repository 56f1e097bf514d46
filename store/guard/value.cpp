// SPDX-License-Identifier: Apache-2.0
#include "value.h"

#include <cmath>

namespace keyhole {
namespace {

constexpr Failure kDivisionByZero = "division by zero";
constexpr Failure kTooLarge = "integer of more than 2048 bits";
constexpr Failure kNoBits = "bitwise operation on a float";
constexpr Failure kOverflow = "float overflow";

Failure real_power(double a, double b, Value& out) {
  if (a == 0 && b < 0) return "0.0 cannot be raised to a negative power";
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) return "the power is complex";
  const double value = std::pow(a, b);
  if (std::isinf(value) && std::isfinite(a) && std::isfinite(b)) return kOverflow;
  out = Value::of(value);
  return nullptr;
}

Failure integer_power(const Integer& base, const Integer& exponent, Value& out) {
  if (exponent.sign() < 0)
    return base.sign() == 0 ? "0.0 cannot be raised to a negative power"
                            : real_power(base.to_double(), exponent.to_double(), out);
  Integer result(1);
  if (base == Integer(0) || base == Integer(1) || base == Integer(-1)) {
    if (exponent.sign() != 0) result = base == Integer(-1) && !exponent.odd() ? Integer(1) : base;
  } else {
    if (exponent > Integer(2048)) return kTooLarge;
    for (std::int64_t i = 0; i < exponent.small(); ++i)
      if (!Integer::multiply(result, base, result)) return kTooLarge;
  }
  out = Value::of(std::move(result));
  return nullptr;
}

// Floor division and modulo of floats as CPython's float_divmod does them.
void real_divmod(double a, double b, double& quotient, double& remainder) {
  remainder = std::fmod(a, b);
  double div = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      div -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (div != 0) {
    quotient = std::floor(div);
    if (div - quotient > 0.5) quotient += 1;
  } else {
    quotient = std::copysign(0.0, a / b);
  }
}

Failure apply_real(Operator operation, double a, double b, Value& out) {
  double quotient = 0, remainder = 0;
  switch (operation) {
    case Operator::add:
      out = Value::of(a + b);
      return nullptr;
    case Operator::subtract:
      out = Value::of(a - b);
      return nullptr;
    case Operator::multiply:
      out = Value::of(a * b);
      return nullptr;
    case Operator::power:
      return real_power(a, b, out);
    case Operator::divide:
      if (b == 0) return kDivisionByZero;
      out = Value::of(a / b);
      return nullptr;
    case Operator::floor_divide:
    case Operator::modulo:
      if (b == 0) return kDivisionByZero;
      real_divmod(a, b, quotient, remainder);
      out = Value::of(operation == Operator::modulo ? remainder : quotient);
      return nullptr;
    default:
      return kNoBits;
  }
}

Failure apply_integer(Operator operation, const Integer& a, const Integer& b, Value& out) {
  Integer result, other;
  bool fits = true;
  switch (operation) {
    case Operator::add:
      fits = Integer::add(a, b, result);
      break;
    case Operator::subtract:
      fits = Integer::subtract(a, b, result);
      break;
    case Operator::multiply:
      fits = Integer::multiply(a, b, result);
      break;
    case Operator::power:
      return integer_power(a, b, out);
    case Operator::bit_and:
      fits = Integer::bitwise(Integer::Bits::And, a, b, result);
      break;
    case Operator::bit_or:
      fits = Integer::bitwise(Integer::Bits::Or, a, b, result);
      break;
    case Operator::bit_xor:
      fits = Integer::bitwise(Integer::Bits::Xor, a, b, result);
      break;
    case Operator::divide: {
      if (b.sign() == 0) return kDivisionByZero;
      const double value = Integer::true_divide(a, b);
      if (std::isinf(value)) return "integer division result too large for a float";
      out = Value::of(value);
      return nullptr;
    }
    case Operator::floor_divide:
      if (b.sign() == 0) return kDivisionByZero;
      fits = Integer::divide(a, b, result, other);
      break;
    case Operator::modulo:
      if (b.sign() == 0) return kDivisionByZero;
      fits = Integer::divide(a, b, other, result);
      break;
    default:
      return kNoBits;
  }
  if (!fits) return kTooLarge;
  out = Value::of(std::move(result));
  return nullptr;
}

// Exact: a float is compared with an int as numbers, not by rounding the int.
std::partial_ordering order(const Value& a, const Value& b) {
  if (!a.is_real() && !b.is_real()) return a.integer <=> b.integer;
  if (a.is_real() && b.is_real()) return a.real <=> b.real;
  const double real = a.is_real() ? a.real : b.real;
  const Integer& integer = a.is_real() ? b.integer : a.integer;
  std::partial_ordering result = std::partial_ordering::unordered;  // of the float against the int
  Integer whole;
  if (std::isnan(real)) return result;
  if (std::isinf(real)) {
    result = real > 0 ? std::partial_ordering::greater : std::partial_ordering::less;
  } else if (!Integer::truncate(real, whole)) {
    return std::partial_ordering::unordered;
  } else {
    result = whole <=> integer;
    if (result == 0) result = real <=> std::trunc(real);
  }
  return a.is_real() ? result : 0 <=> result;
}

}  // namespace

bool compare(Operator operation, const Value& a, const Value& b) {
  const std::partial_ordering o = order(a, b);
  switch (operation) {
    case Operator::equal:
      return o == 0;
    case Operator::unequal:
      return o != 0;
    case Operator::less:
      return o < 0;
    case Operator::less_equal:
      return o <= 0;
    case Operator::greater:
      return o > 0;
    default:
      return o >= 0;
  }
}

Failure to_real(const Value& a, double& out) {
  out = a.is_real() ? a.real : a.integer.to_double();
  return std::isinf(out) && !a.is_real() ? "int too large to convert to float" : nullptr;
}

Failure apply(Operator operation, const Value& a, const Value& b, Value& out) {
  if (std::int64_t word = 0; a.is_word() && b.is_word()) {  // nearly all that guards do
    const std::int64_t x = a.integer.small(), y = b.integer.small();
    const auto boolean = [&out](bool value) { return out.kind = Value::Kind::boolean, out.integer = value, nullptr; };
    const auto fits = [&](bool overflow) {
      if (!overflow) out.kind = Value::Kind::integer, out.integer = word;
      return !overflow;
    };
    switch (operation) {
      case Operator::equal:
        return boolean(x == y);
      case Operator::unequal:
        return boolean(x != y);
      case Operator::less:
        return boolean(x < y);
      case Operator::less_equal:
        return boolean(x <= y);
      case Operator::greater:
        return boolean(x > y);
      case Operator::greater_equal:
        return boolean(x >= y);
      case Operator::add:
        if (fits(__builtin_add_overflow(x, y, &word))) return nullptr;
        break;
      case Operator::subtract:
        if (fits(__builtin_sub_overflow(x, y, &word))) return nullptr;
        break;
      case Operator::multiply:
        if (fits(__builtin_mul_overflow(x, y, &word))) return nullptr;
        break;
      default:
        break;
    }
  }
  if (operation >= Operator::equal) {
    out = Value::of(compare(operation, a, b));
    return nullptr;
  }
  if (a.is_real() || b.is_real()) {
    double x = 0, y = 0;
    if (Failure why = to_real(a, x)) return why;
    if (Failure why = to_real(b, y)) return why;
    return apply_real(operation, x, y, out);
  }
  const bool logical =
      a.kind == Value::Kind::boolean && b.kind == Value::Kind::boolean &&
      (operation == Operator::bit_and || operation == Operator::bit_or || operation == Operator::bit_xor);
  const Failure why = apply_integer(operation, a.integer, b.integer, out);
  if (logical && why == nullptr) out.kind = Value::Kind::boolean;
  return why;
}

Failure negate(const Value& a, Value& out) {
  if (a.is_real()) return out = Value::of(-a.real), nullptr;
  Integer result;
  if (!Integer::subtract(Integer(0), a.integer, result)) return kTooLarge;
  out = Value::of(std::move(result));
  return nullptr;
}

Failure invert(const Value& a, Value& out) {
  if (a.is_real()) return kNoBits;
  Integer result;
  if (!Integer::subtract(Integer(-1), a.integer, result)) return kTooLarge;
  out = Value::of(std::move(result));
  return nullptr;
}

}  // namespace keyhole
