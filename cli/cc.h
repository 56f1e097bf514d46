// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

namespace keyhole::cli {

/// The exit status where the arguments are those of `keyhole cc … COMPILER …`, or the program was started under a
/// compiler's name; absent: another command.
std::optional<int> compile_command(int argc, char** argv);

}  // namespace keyhole::cli
