// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "integer.h"

namespace keyhole {

/// A Python int, float or bool (a bool is an int that prints as True or False).
struct Value {
  enum class Kind : std::uint8_t { integer, real, boolean };
  Kind kind = Kind::integer;
  Integer integer;  ///< also 0 or 1 of a boolean
  double real = 0;

  static Value of(Integer value) { return {Kind::integer, std::move(value), 0}; }
  static Value of(double value) { return {Kind::real, {}, value}; }
  static Value of(bool value) { return {Kind::boolean, Integer(value ? 1 : 0), 0}; }
  [[nodiscard]] bool is_real() const { return kind == Kind::real; }
  [[nodiscard]] bool is_word() const { return kind != Kind::real && integer.is_small(); }
  [[nodiscard]] bool truth() const { return is_real() ? real != 0 : integer.sign() != 0; }
};

enum class Operator : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  bit_and,
  bit_or,
  bit_xor,
  equal,
  unequal,
  less,
  less_equal,
  greater,
  greater_equal
};

/// Null where `out` holds the value, else the reason as Python words it ("division by zero"); the text is static.
using Failure = const char*;

[[nodiscard]] Failure apply(Operator operation, const Value& a, const Value& b, Value& out);
[[nodiscard]] Failure negate(const Value& a, Value& out);
[[nodiscard]] Failure invert(const Value& a, Value& out);
/// A comparison never fails.
[[nodiscard]] bool compare(Operator operation, const Value& a, const Value& b);
[[nodiscard]] Failure to_real(const Value& a, double& out);

/// A function that guards may call, -1: none of this name ("math.floor", "max", "torch.sym_float").
[[nodiscard]] int function_named(std::string_view name);
[[nodiscard]] Failure call(int function, std::span<const Value> arguments, Value& out);

}  // namespace keyhole
