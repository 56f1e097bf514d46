// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace keyhole {

/// RFC 4648 base64 with padding, no line breaks.
[[nodiscard]] std::string base64_encode(std::string_view bytes);

/// Nothing where the text is not exactly that (other characters, wrong length, bits left over).
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace keyhole
