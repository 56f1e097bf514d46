// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole::cli {

/// A program run as if we were not there: it keeps our terminal, our process group, and stdin, stdout and stderr as
/// they are. What would end us reaches the program instead: SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on, except
/// those that the terminal has sent to the whole group already. We end when it ends.
class Child {
 public:
  struct Ended {
    int exit_status = 0;  ///< of the program; 128 + signal where one killed it, as a shell tells it
    int signal = 0;       ///< 0: it ended by itself
  };

  /// From here on those signals no longer end us. Call it before other threads exist; call it once.
  static void hold_signals();

  /// Whether there is such a program: a path, or a name in PATH. not_found; io where it is there and cannot be
  /// executed.
  static Result<void> find(const std::string& program);
  /// Starts `argv` (found in PATH) with our environment and `extra` on top. not_found, io: it could not be started.
  static Result<Child> start(const std::vector<std::string>& argv,
                             const std::vector<std::pair<std::string, std::string>>& extra);

  /// Waits up to `patience`; absent: it still runs.
  std::optional<Ended> wait(std::chrono::milliseconds patience);
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

}  // namespace keyhole::cli
