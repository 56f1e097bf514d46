// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "keyhole/base/records.h"
#include "keyhole/cache/brief.h"
#include "keyhole/compiler/command.h"

namespace keyhole {

/// One command that is to be done through a store.
struct CompileJob {
  std::string store;
  std::string program;                 ///< as the user wrote it ("nvcc", "/usr/bin/g++")
  std::vector<std::string> arguments;  ///< behind it
  CommandRules rules = {};
  BriefRun run = {};        ///< the run that it belongs to
  std::string folder = {};  ///< to compile in; empty: the working folder. Then every path must be absolute
};

/// How it went. `outcome` is as the history has it.
struct Compiled {
  Outcome outcome = Outcome::bypass;
  int status = 0;     ///< of the compiler, 128 + signal where one killed it; 127: there is none, or it does not start
  bool left = false;  ///< nothing was done: it cannot be kept (or put in place), and the compiler is to run as it is
  std::string key = {};            ///< of the result; of the command where it failed
  std::string reason = {};         ///< of a bypass
  std::string out = {}, err = {};  ///< what the compiler said, now or when it ran
  /// Of a failed compile: what its failure depends on, as the text of a manifest (watched_failure_holds). Empty: not
  /// known.
  std::string failure = {};
};

/// Does it through the store, as the compiler would: its output file and its dependency file are the same, and what it
/// says and its exit status are given, whether it ran or not.
///
/// A result is found in two steps. The command (options, environment, toolchain, the source's content) leads to a list
/// of the closures that it had: the content of every file that any of its passes read, and every place where a header
/// was looked for in vain. The first closure that still holds names the result. What cannot be told apart this way is
/// `left` to the caller, and the reason is recorded; where it shows only after the compile, the output stands and is
/// not kept.
///
/// An output that already has the result's bytes is not touched. Thread-safe but for the working folder.
[[nodiscard]] Compiled compile_job(const CompileJob& job);

/// Whether all that a failed compile read is as it was: then it would fail again.
[[nodiscard]] bool watched_failure_holds(const std::string& failure);

/// The compile as a process: writes what the compiler says to this one's streams, sends signals on to it, and gives the
/// exit status. Where the compiler need not be watched it takes this process's place, and the call does not return.
int compile_through(const std::string& store, const std::string& program, const std::vector<std::string>& arguments);

}  // namespace keyhole
