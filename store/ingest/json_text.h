// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace keyhole {

/// Offset of the bracket of a JSON text that goes deeper than any file of these caches; -1: none does. Looked at before
/// anything recursive walks the document.
inline std::int64_t too_deep(std::string_view text, int limit = 64) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) return static_cast<std::int64_t>(i);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return -1;
}

/// One line, as metadata_json holds it; bytes that are no UTF-8 become U+FFFD.
inline std::string metadata_text(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace keyhole
