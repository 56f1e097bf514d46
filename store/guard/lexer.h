// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

struct Token {
  enum class Kind : std::uint8_t { end, integer, real, name, string, symbol };
  Kind kind = Kind::end;
  std::string_view text;  // of a string: without its quotes; names hold their dots ("math.floor")
  std::size_t begin = 0, end = 0;
  std::size_t match = 0;  // of "(": the index of its ")" token
};

/// The tokens of a Python expression, a `end` token last. Fails (bad_input) at what is none.
[[nodiscard]] Result<std::vector<Token>> tokenize(std::string_view text);

}  // namespace keyhole
