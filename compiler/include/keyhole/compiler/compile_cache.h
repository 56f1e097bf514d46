// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace keyhole {

/// Compiles through the store, as the compiler would: its output file, its dependency file, what it prints and its exit
/// status are the same, whether it ran or not.
///
/// A result is found in two steps. The command (options, environment, toolchain, the source's content) leads to a list
/// of the closures that it had: the content of every file that any of its passes read, and every place where a header
/// was looked for in vain. The first closure that still holds names the result. What cannot be told apart this way is
/// compiled without the store, and the reason is recorded.
///
/// `program`: as the user wrote it ("nvcc", "/usr/bin/g++"); `arguments`: behind it. Gives the exit status. Where the
/// compiler need not be watched it takes this process's place, and the call does not return.
int compile_through(const std::string& store, const std::string& program, const std::vector<std::string>& arguments);

}  // namespace keyhole
