// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace keyhole {

/// A float as Python prints it: the shortest text that reads back the same ("0.5", "1e+16", "1.0", "inf", "nan").
[[nodiscard]] std::string python_text(double value);

}  // namespace keyhole
