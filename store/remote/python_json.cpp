// SPDX-License-Identifier: Apache-2.0
#include "keyhole/remote/python_json.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace keyhole {
namespace {

using Json = nlohmann::ordered_json;

void write_text(const std::string& text, std::string& out) {
  // nlohmann's ASCII form differs from Python's only in the case of nothing: both write \u and lower-case hex.
  out += Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
}

void new_line(int indent, int depth, std::string& out) {
  out += '\n';
  out.append(static_cast<std::size_t>(indent * depth), ' ');
}

void write(const Json& value, int indent, int depth, std::string& out) {
  const auto items = [&](char open, char close, auto&& each) {
    if (value.empty()) {
      out += open;
      out += close;
      return;
    }
    out += open;
    bool first = true;
    for (auto item = value.begin(); item != value.end(); ++item) {
      if (!first) out += indent < 0 ? ", " : ",";
      first = false;
      if (indent >= 0) new_line(indent, depth + 1, out);
      each(item);
    }
    if (indent >= 0) new_line(indent, depth, out);
    out += close;
  };
  switch (value.type()) {
    case Json::value_t::object:
      items('{', '}', [&](auto item) {
        write_text(item.key(), out);
        out += ": ";
        write(item.value(), indent, depth + 1, out);
      });
      break;
    case Json::value_t::array:
      items('[', ']', [&](auto item) { write(*item, indent, depth + 1, out); });
      break;
    case Json::value_t::string:
      write_text(value.get_ref<const std::string&>(), out);
      break;
    case Json::value_t::number_float: {
      const double number = value.get<double>();
      if (std::isnan(number))
        out += "NaN";
      else if (std::isinf(number))
        out += number < 0 ? "-Infinity" : "Infinity";
      else
        out += python_float(number);
      break;
    }
    default:
      out += value.dump();
      break;
  }
}

}  // namespace

std::string python_json(const nlohmann::ordered_json& value, int indent) {
  std::string out;
  write(value, indent, 0, out);
  return out;
}

std::string python_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  // The shortest digits come as "d.ddde±xx"; Python writes them plainly for exponents from -4 to 15.
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = text.find('e');
  int exponent = 0;
  const char* digits_of_exponent = text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0);
  std::from_chars(digits_of_exponent, text.data() + text.size(), exponent);
  const bool negative = text.front() == '-';
  std::string digits;
  for (const char c : text.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;

  std::string out = negative ? "-" : "";
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out += "." + digits.substr(1);
    const std::string power = std::to_string(std::abs(exponent));
    return out + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1)
    return out + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  return out + digits.substr(0, static_cast<std::size_t>(exponent) + 1) + "." +
         digits.substr(static_cast<std::size_t>(exponent) + 1);
}

}  // namespace keyhole
