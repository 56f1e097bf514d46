// SPDX-License-Identifier: Apache-2.0
// Which compiler a command really runs, and what it is: the contents of all the programs and files that one compile is
// done with.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "keyhole/base/digest.h"
#include "keyhole/base/error.h"
#include "keyhole/compiler/command.h"

namespace keyhole {

struct ToolchainRequest {
  CompilerKind kind = CompilerKind::gcc;
  std::string program = {};                                           ///< a path, as resolve_program() gives it
  std::string host_compiler = {};                                     ///< nvcc -ccbin; empty: not given
  std::vector<std::string> search_flags = {};                         ///< CompileCommand::search_flags
  bool c_language = false;                                            ///< the source is C
  bool links = false;                                                 ///< the linker is part of it
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< key_environment()
  std::string memory = {};  ///< folder in which what is found is remembered; made where it is missing
};

/// A program or file of a toolchain.
struct Tool {
  std::string name = {};  ///< "ptxas", "cc1plus", "libdevice.10.bc"
  std::string path = {};
  Digest digest;  ///< SHA-256 of its content
};

struct Toolchain {
  std::vector<Tool> tools;
  std::vector<std::string> search =
      {};  ///< folders that headers are looked for in unasked, also those that do not exist
  bool opaque =
      false;  ///< a script stands before the compiler that may do anything: the tools alone do not tell the result
  bool from_memory = false;  ///< nothing was run or read: every file bears the stamp that is remembered
};

/// The program that a word names: itself where it holds a '/', else the first on PATH that is neither this program nor
/// another compiler cache under the compiler's name. Empty: none.
[[nodiscard]] std::string resolve_program(const std::string& word);

/// Finds the toolchain, or remembers it. A shim is followed where it is a link or a script of one line `exec PATH
/// "$@"`; one that cannot be read is asked every time, and the result says so. Fails (not_found, bad_input) where the
/// compiler does not tell what it consists of.
Result<Toolchain> find_toolchain(const ToolchainRequest& request);

}  // namespace keyhole
