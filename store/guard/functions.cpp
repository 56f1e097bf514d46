// SPDX-License-Identifier: Apache-2.0
// The functions that PyTorch's guards may call: Python's math, a few builtins, and those of torch that act on sizes.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <vector>

#include "value.h"

namespace keyhole {
namespace {

using Arguments = std::span<const Value>;
using Real = double (*)(double);
constexpr Failure kDomain = "math domain error";

// A function of math: an invalid argument is an error, not a nan, and so is an infinite value of a finite argument.
template <Real function>
Failure real_function(Arguments arguments, Value& out) {
  double x = 0;
  if (Failure why = to_real(arguments[0], x)) return why;
  const double value = function(x);
  if (std::isnan(value) && !std::isnan(x)) return kDomain;
  if (std::isinf(value) && std::isfinite(x)) return "math range error";
  out = Value::of(value);
  return nullptr;
}

// floor, ceil, trunc: an int of any size.
template <Real function>
Failure whole_function(Arguments arguments, Value& out) {
  if (!arguments[0].is_real()) return out = Value::of(arguments[0].integer), nullptr;
  const double x = arguments[0].real;
  if (std::isnan(x)) return "cannot convert float NaN to integer";
  if (std::isinf(x)) return "cannot convert float infinity to integer";
  Integer result;
  if (!Integer::truncate(function(x), result)) return "integer of more than 2048 bits";
  out = Value::of(std::move(result));
  return nullptr;
}

template <bool (*test)(double)>
Failure test_function(Arguments arguments, Value& out) {
  double x = 0;
  if (Failure why = to_real(arguments[0], x)) return why;
  out = Value::of(test(x));
  return nullptr;
}

template <Operator better>
Failure extreme(Arguments arguments, Value& out) {
  const Value* best = &arguments[0];
  for (const Value& candidate : arguments.subspan(1))
    if (compare(better, candidate, *best)) best = &candidate;
  out = Value(*best);
  return nullptr;
}

// torch.sym_max and sym_min give a float as soon as one argument is one.
template <Operator better>
Failure promoting_extreme(Arguments arguments, Value& out) {
  if (Failure why = extreme<better>(arguments, out)) return why;
  if (!arguments[0].is_real() && !arguments[1].is_real()) return nullptr;
  double value = 0;
  if (Failure why = to_real(out, value)) return why;
  out = Value::of(value);
  return nullptr;
}

Failure absolute(Arguments arguments, Value& out) {
  const Value& a = arguments[0];
  if (a.is_real()) return out = Value::of(std::fabs(a.real)), nullptr;
  if (a.integer.sign() < 0) return negate(a, out);
  out = Value::of(a.integer);
  return nullptr;
}

// An int rounded to a multiple of 10**places, ties to even.
Failure round_integer(const Integer& value, std::int64_t places, Value& out) {
  Integer unit(1), quotient, remainder, rest;
  for (std::int64_t i = 0; i < places; ++i)
    if (!Integer::multiply(unit, Integer(10), unit)) return out = Value::of(Integer(0)), nullptr;
  if (!Integer::divide(value, unit, quotient, remainder) || !Integer::subtract(unit, remainder, rest))
    return "integer of more than 2048 bits";
  if (remainder > rest || (remainder == rest && quotient.odd()))
    if (!Integer::add(quotient, Integer(1), quotient)) return "integer of more than 2048 bits";
  if (!Integer::multiply(quotient, unit, quotient)) return "integer of more than 2048 bits";
  out = Value::of(std::move(quotient));
  return nullptr;
}

Failure round_function(Arguments arguments, Value& out) {
  const Value& a = arguments[0];
  if (arguments.size() == 1) {
    if (!a.is_real()) return out = Value::of(a.integer), nullptr;
    return whole_function<std::nearbyint>(arguments, out);
  }
  const Value& digits = arguments[1];
  if (digits.is_real()) return "the number of digits is no integer";
  const std::int64_t n = digits.integer.is_small() ? std::clamp<std::int64_t>(digits.integer.small(), -400, 400)
                                                   : digits.integer.sign() * 400;
  if (!a.is_real()) return n >= 0 ? (out = Value::of(a.integer), nullptr) : round_integer(a.integer, -n, out);
  if (!std::isfinite(a.real) || n > 323) return out = a, nullptr;
  if (n >= 0) {  // the C library rounds the exact decimal value, ties to even, as Python does
    char text[800];
    std::snprintf(text, sizeof text, "%.*f", static_cast<int>(n), a.real);
    const double value = std::strtod(text, nullptr);
    if (std::isinf(value)) return "rounded value too large to represent";
    out = Value::of(value);
    return nullptr;
  }
  const double unit = std::pow(10.0, static_cast<double>(-n));
  if (std::isinf(unit)) return out = Value::of(std::copysign(0.0, a.real)), nullptr;
  const double value = std::nearbyint(a.real / unit) * unit;
  if (std::isinf(value)) return "rounded value too large to represent";
  out = Value::of(value);
  return nullptr;
}

Failure as_real(Arguments arguments, Value& out) {
  double value = 0;
  if (Failure why = to_real(arguments[0], value)) return why;
  out = Value::of(value);
  return nullptr;
}

Failure as_boolean(Arguments arguments, Value& out) {
  return out = Value::of(arguments[0].truth()), nullptr;
}
Failure negation(Arguments arguments, Value& out) {
  return out = Value::of(!arguments[0].truth()), nullptr;
}
Failure as_zero_or_one(Arguments arguments, Value& out) {
  return out = Value::of(Integer(arguments[0].truth() ? 1 : 0)), nullptr;
}
Failure choice(Arguments arguments, Value& out) {
  return out = Value(arguments[0].truth() ? arguments[1] : arguments[2]), nullptr;
}
Failure power(Arguments arguments, Value& out) {
  return apply(Operator::power, arguments[0], arguments[1], out);
}
Failure real_power(Arguments arguments, Value& out) {
  Value a, b;
  if (Failure why = as_real(arguments.subspan(0, 1), a)) return why;
  if (Failure why = as_real(arguments.subspan(1, 1), b)) return why;
  return apply(Operator::power, a, b, out);
}

// 1 where a tensor of these sizes and strides (first all sizes, then all strides) fills its memory without overlap.
Failure non_overlapping_and_dense(Arguments arguments, Value& out) {
  if (arguments.size() % 2 != 0) return "an odd number of sizes and strides";
  for (const Value& a : arguments)
    if (a.is_real()) return "a size is no integer";
  const std::size_t dims = arguments.size() / 2;
  std::vector<std::pair<Integer, Integer>> by_stride;  // stride, size
  for (std::size_t i = 0; i < dims; ++i) by_stride.emplace_back(arguments[dims + i].integer, arguments[i].integer);
  out = Value::of(Integer(1));
  if (dims == 1) {
    if (by_stride[0].first != Integer(1) && by_stride[0].second >= Integer(2)) out = Value::of(Integer(0));
    return nullptr;
  }
  std::stable_sort(by_stride.begin(), by_stride.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Integer expected(1);
  for (const auto& [stride, size] : by_stride) {
    if (size == Integer(1)) continue;
    if (stride != expected) return out = Value::of(Integer(0)), nullptr;
    if (!Integer::multiply(expected, size, expected)) return "integer of more than 2048 bits";
  }
  return nullptr;
}

struct Function {
  std::string_view name;
  Failure (*body)(Arguments, Value&);
  std::size_t least, most;
};
constexpr std::size_t kAny = 1u << 20;
const Function kFunctions[] = {
    {"max", extreme<Operator::greater>, 2, kAny},
    {"min", extreme<Operator::less>, 2, kAny},
    {"abs", absolute, 1, 1},
    {"round", round_function, 1, 2},
    {"int", whole_function<std::trunc>, 1, 1},
    {"float", as_real, 1, 1},
    {"bool", as_boolean, 1, 1},
    {"pow", power, 2, 2},
    {"math.floor", whole_function<std::floor>, 1, 1},
    {"math.ceil", whole_function<std::ceil>, 1, 1},
    {"math.trunc", whole_function<std::trunc>, 1, 1},
    {"math.sqrt", real_function<std::sqrt>, 1, 1},
    {"math.exp", real_function<std::exp>, 1, 1},
    {"math.exp2", real_function<std::exp2>, 1, 1},
    {"math.log", real_function<std::log>, 1, 1},
    {"math.log2", real_function<std::log2>, 1, 1},
    {"math.log10", real_function<std::log10>, 1, 1},
    {"math.sin", real_function<std::sin>, 1, 1},
    {"math.cos", real_function<std::cos>, 1, 1},
    {"math.tan", real_function<std::tan>, 1, 1},
    {"math.asin", real_function<std::asin>, 1, 1},
    {"math.acos", real_function<std::acos>, 1, 1},
    {"math.atan", real_function<std::atan>, 1, 1},
    {"math.sinh", real_function<std::sinh>, 1, 1},
    {"math.cosh", real_function<std::cosh>, 1, 1},
    {"math.tanh", real_function<std::tanh>, 1, 1},
    {"math.fabs", real_function<std::fabs>, 1, 1},
    {"math.pow", real_power, 2, 2},
    {"math.isnan", test_function<std::isnan>, 1, 1},
    {"math.isinf", test_function<std::isinf>, 1, 1},
    {"math.isfinite", test_function<std::isfinite>, 1, 1},
    {"torch.sym_float", as_real, 1, 1},
    {"torch.sym_int", whole_function<std::trunc>, 1, 1},
    {"torch.sym_max", promoting_extreme<Operator::greater>, 2, 2},
    {"torch.sym_min", promoting_extreme<Operator::less>, 2, 2},
    {"torch.sym_not", negation, 1, 1},
    {"torch.sym_ite", choice, 3, 3},
    {"torch._sym_sqrt", real_function<std::sqrt>, 1, 1},
    {"torch._sym_cos", real_function<std::cos>, 1, 1},
    {"torch._sym_cosh", real_function<std::cosh>, 1, 1},
    {"torch._sym_sin", real_function<std::sin>, 1, 1},
    {"torch._sym_sinh", real_function<std::sinh>, 1, 1},
    {"torch._sym_tan", real_function<std::tan>, 1, 1},
    {"torch._sym_tanh", real_function<std::tanh>, 1, 1},
    {"torch._sym_asin", real_function<std::asin>, 1, 1},
    {"torch._sym_acos", real_function<std::acos>, 1, 1},
    {"torch._sym_atan", real_function<std::atan>, 1, 1},
    {"torch._sym_log2", real_function<std::log2>, 1, 1},
    {"IsNonOverlappingAndDenseIndicator", non_overlapping_and_dense, 0, kAny},
    {"cast_symbool_to_symint_guardless", as_zero_or_one, 1, 1},
};

}  // namespace

int function_named(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kFunctions); ++i)
    if (kFunctions[i].name == name) return static_cast<int>(i);
  return -1;
}

Failure call(int function, Arguments arguments, Value& out) {
  const Function& f = kFunctions[function];
  if (arguments.size() < f.least || arguments.size() > f.most) return "wrong number of arguments";
  return f.body(arguments, out);
}

}  // namespace keyhole
