// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

/// How a program ended and what it said.
struct Finished {
  int status = 0;  ///< exit status; 128 + signal where one killed it, as shells tell it
  std::string out, err;
};

/// Runs `program` (a path; no search) with `argv` (its own name first) and waits. What it writes is kept whole and in
/// order within each stream. Standard input is inherited. Variables of `environment` ("NAME=value") replace those of
/// this process; "NAME" alone removes it. Fails (io) where it cannot be started.
Result<Finished> run_program(const std::string& program, const std::vector<std::string>& argv,
                             const std::vector<std::string>& environment = {});

/// Becomes the program; returns only where that fails.
Error become_program(const std::string& program, const std::vector<std::string>& argv);

}  // namespace keyhole
