// SPDX-License-Identifier: Apache-2.0
// What a subcommand is made of. Each file registers one: its options, its help with an example, and what it does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "keyhole/base/error.h"

namespace CLI {
class App;  // seen by command.cpp and main.cpp alone: it costs a compiler seconds
}

namespace keyhole::cli {

/// Exit statuses that scripts rely on.
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kGateFailed = 3 };

/// Options that every command knows, before or behind its name.
struct Globals {
  std::string store;  ///< never empty
  bool json = false;
};

/// Options of one subcommand. A name is "--run", "-v,--verbose", or "PATH" for what stands without a dash. The
/// variables that are bound must outlive the parsing; they keep their values where an option is not given.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  void text(const char* name, std::string& value, const char* help, bool required = false);
  void texts(const char* name, std::vector<std::string>& values, const char* help, bool required = false);
  void number(const char* name, std::size_t& value, const char* help);  ///< 1 or more
  void flag(const char* name, bool& value, const char* help);
  /// What stands behind "--", or from the first word on that is no option, is a program to be run: Commands::program().
  void takes_program();
  [[nodiscard]] bool given(const char* name) const;

 private:
  CLI::App* app_;
};

class Commands {
 public:
  using Action = std::function<int(const Globals&)>;

  Commands(CLI::App& app, Globals& globals) : app_(app), globals_(globals) {}

  /// A subcommand with --store and --json (unless --json is an option of its own there). `example` is shown below its
  /// options.
  Command add(const char* name, const char* description, const std::string& example, bool json_flag = true);
  /// What happens when the command that was added last was given: the exit status.
  void on(Action action);
  /// Reads the command line and does what it says: the exit status.
  int run(int argc, const char* const* argv);
  [[nodiscard]] std::vector<std::string> program() const;

 private:
  CLI::App& app_;
  CLI::App* last_ = nullptr;
  Globals& globals_;
  Action action_;
  CLI::App* given_ = nullptr;
  std::vector<std::string> behind_dashes_;
};

void add_record(Commands& commands);
void add_import(Commands& commands);
void add_why(Commands& commands);
void add_diff(Commands& commands);
void add_log(Commands& commands);
void add_show(Commands& commands);
void add_search(Commands& commands);
void add_ls(Commands& commands);
void add_stats(Commands& commands);
void add_guards(Commands& commands);
void add_ranks(Commands& commands);
void add_expect_hit(Commands& commands);
void add_compare(Commands& commands);
void add_predict(Commands& commands);
void add_export(Commands& commands);
void add_verify(Commands& commands);
void add_gc(Commands& commands);
void add_backup(Commands& commands);
void add_doctor(Commands& commands);
void add_env(Commands& commands);
void add_cc(Commands& commands);

/// One line on stderr; the exit status that its kind stands for.
int report(const Error& error);
/// To stdout, whole; kFailed where it could not be written (a full disk), which is said on stderr.
int print(const std::string& text);

}  // namespace keyhole::cli
