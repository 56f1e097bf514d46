// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

/// Golden vectors: values that the real PyTorch 2.13.0 gave, kept under tests/data/golden/.
/// Each file is read once and stays.
inline const nlohmann::json& golden(const std::string& name) {
  static std::map<std::string, nlohmann::json> files;
  if (const auto known = files.find(name); known != files.end()) return known->second;
  const std::string path = std::string(KEYHOLE_SOURCE_DIR) + "/tests/data/golden/" + name + ".json";
  std::ifstream in(path);
  if (!in) throw std::runtime_error("no golden vectors at " + path);
  return files[name] = nlohmann::json::parse(in);
}

/// Bytes of a hexadecimal text.
inline std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}
