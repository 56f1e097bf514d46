// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keyhole {

/// The tokens of GNU make's jobserver (info make, "POSIX Jobserver"): a process that runs under it owns one without
/// asking, and takes one from the pipe for each further job that it runs at once. Not thread-safe.
class Jobserver {
 public:
  /// What MAKEFLAGS says ("--jobserver-auth=fifo:PATH" or "R,W"); without one every ask is granted.
  explicit Jobserver(std::string_view makeflags);
  Jobserver(const Jobserver&) = delete;
  Jobserver& operator=(const Jobserver&) = delete;
  ~Jobserver();  ///< gives all back

  [[nodiscard]] bool active() const { return reader_ >= 0; }
  /// To poll for a token; -1: none needed.
  [[nodiscard]] int reader() const { return reader_; }
  /// One more job may run. False: none is free now.
  bool take();
  void give();

 private:
  int reader_ = -1, writer_ = -1;
  int running_ = 0;
  std::vector<char> tokens_;
};

}  // namespace keyhole
