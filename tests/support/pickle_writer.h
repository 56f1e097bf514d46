// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace keyhole {

/// Just enough of pickle's protocol 4 to write the objects of a test: every function gives opcodes.
namespace pickled {

inline std::string text(const std::string& s) {
  std::string out = "X";
  for (int i = 0; i < 4; ++i) out += static_cast<char>(s.size() >> (8 * i));
  return out + s;
}
inline std::string none() {
  return "N";
}
inline std::string boolean(bool b) {
  return b ? "\x88" : "\x89";
}
inline std::string integer(std::int32_t n) {
  std::string out = "J";
  for (int i = 0; i < 4; ++i) out += static_cast<char>(static_cast<std::uint32_t>(n) >> (8 * i));
  return out;
}
inline std::string list(const std::vector<std::string>& items) {
  std::string out = "](";
  for (const auto& i : items) out += i;
  return out + "e";
}
inline std::string pair(const std::string& a, const std::string& b) {
  return a + b + "\x86";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out = "}(";
  for (const auto& [k, v] : pairs) out += text(k) + v;
  return out + "u";
}
inline std::string global(const std::string& module, const std::string& name) {
  return text(module) + text(name) + "\x93";
}
inline std::string object(const std::string& module, const std::string& name,
                          const std::vector<std::pair<std::string, std::string>>& attributes) {
  return global(module, name) + ")\x81" + dict(attributes) + "b";
}
inline std::string call(const std::string& module, const std::string& name, const std::string& argument) {
  return global(module, name) + argument + "\x85R";
}
inline std::string file(const std::string& value) {
  return "\x80\x04" + value + ".";
}

}  // namespace pickled
}  // namespace keyhole
