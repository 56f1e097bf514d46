// SPDX-License-Identifier: Apache-2.0
// What a subcommand is made of. Each file registers one: its options, its help with an example, and what it does.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <string>

#include "keyhole/base/error.h"

namespace keyhole::cli {

/// Exit statuses that scripts rely on.
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kGateFailed = 3 };

/// Options that every command knows, before or behind its name.
struct Globals {
  std::string store;  ///< never empty
  bool json = false;
};

class Commands {
 public:
  using Action = std::function<int(const Globals&)>;

  Commands(CLI::App& app, Globals& globals) : app_(app), globals_(globals) {}

  /// A subcommand with --store and --json. `example` is shown below its options.
  CLI::App* add(const std::string& name, const std::string& description, const std::string& example);
  /// What happens when `command` was given: the exit status.
  void on(CLI::App* command, Action action);
  /// Of the command that was given.
  [[nodiscard]] int run() const { return action_ ? action_(globals_) : kUsage; }

 private:
  CLI::App& app_;
  Globals& globals_;
  Action action_;
};

void add_record(Commands& commands);
void add_import(Commands& commands);
void add_why(Commands& commands);
void add_diff(Commands& commands);
void add_log(Commands& commands);
void add_show(Commands& commands);
void add_env(Commands& commands);

/// One line on stderr; the exit status that its kind stands for.
int report(const Error& error);
/// To stdout, whole; kFailed where it could not be written (a full disk), which is said on stderr.
int print(const std::string& text);

}  // namespace keyhole::cli
