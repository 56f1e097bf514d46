// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

/// How a program ended and what it said.
struct Finished {
  int status = 0;  ///< exit status; 128 + signal where one killed it, as shells tell it
  int signal = 0;  ///< that killed it; 0: none
  std::string out, err;
};

struct RunOptions {
  std::vector<std::string> environment = {};  ///< "NAME=value" replaces that of this process; "NAME" alone removes it
  std::string folder = {};                    ///< to run in; empty: this process's
  bool merged = false;                        ///< standard error goes where standard output goes
};

/// Runs `program` (a path; no search) with `argv` (its own name first) and waits. What it writes is kept whole and in
/// order within each stream. Standard input is inherited. Fails (io) where it cannot be started.
Result<Finished> run_program(const std::string& program, const std::vector<std::string>& argv,
                             const RunOptions& options = {});

/// Signals that end a program (SIGHUP, SIGINT, SIGTERM) go on to the program that run_program() waits for, for as long
/// as this lives; the waiting goes on, so that what was begun is tidied up. For a process of one thread.
class ForwardSignals {
 public:
  ForwardSignals();
  ~ForwardSignals();
  ForwardSignals(const ForwardSignals&) = delete;
  ForwardSignals& operator=(const ForwardSignals&) = delete;
  /// The one that came first; 0: none.
  [[nodiscard]] static int received();
};

/// Becomes the program; returns only where that fails.
Error become_program(const std::string& program, const std::vector<std::string>& argv);

}  // namespace keyhole
