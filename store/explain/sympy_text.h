// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace keyhole::explain_detail {

/// A condition as sympy prints it ("Eq(Mod(s77, 8), 0)", "Max(s17, s77) < 200"), in Python's words, which guard
/// expressions are in. What it does not know stays as it is.
std::string python_of_sympy(std::string_view text);

}  // namespace keyhole::explain_detail
