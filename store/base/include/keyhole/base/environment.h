// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace keyhole {

/// A variable of this process's environment; empty where it is not set.
[[nodiscard]] std::string environment_variable(const char* name);

}  // namespace keyhole
