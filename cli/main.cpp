// SPDX-License-Identifier: Apache-2.0
// The `keyhole` command: says why a compiler cache missed.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cerrno>
#include <cstring>

#include "cc.h"
#include "command.h"
#include "format.h"

namespace keyhole::cli {

int report(const Error& error) {
  fmt::print(stderr, "keyhole: {}\n", shorten(error.line(), std::string::npos));
  return error.kind == ErrorKind::usage ? kUsage : kFailed;
}

int print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return kDone;
  return report({ErrorKind::io, std::string("the output could not be written: ") + std::strerror(errno), {}, {}});
}

namespace {

int run(int argc, char** argv) {
  Globals globals;
  CLI::App app("Records what a compiler cache does, and says why a lookup missed.", "keyhole");
  app.add_option("--store", globals.store,
                 "The store's folder; else $KEYHOLE_STORE, $XDG_DATA_HOME/keyhole, ~/.local/share/keyhole");
  app.add_flag("--json", globals.json, "Print JSON");
  app.set_version_flag("--version", "keyhole " KEYHOLE_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Begin with:\n"
      "  keyhole record -- python train.py    # twice, with a change in between\n"
      "  keyhole why                          # what the change cost, and how to undo it");

  Commands commands(app, globals);
  add_record(commands);
  add_import(commands);
  add_why(commands);
  add_diff(commands);
  add_log(commands);
  add_show(commands);
  add_search(commands);
  add_ls(commands);
  add_stats(commands);
  add_guards(commands);
  add_ranks(commands);
  add_expect_hit(commands);
  add_compare(commands);
  add_predict(commands);
  add_export(commands);
  add_verify(commands);
  add_gc(commands);
  add_backup(commands);
  add_doctor(commands);
  add_env(commands);
  add_cc(commands);
  return commands.run(argc, argv);
}

}  // namespace
}  // namespace keyhole::cli

int main(int argc, char** argv) {
  try {
    if (const auto compiled = keyhole::cli::compile_command(argc, argv)) return *compiled;
    return keyhole::cli::run(argc, argv);
  } catch (const std::exception& e) {
    return keyhole::cli::report(
        {keyhole::ErrorKind::internal, e.what(), {}, "this is a bug in keyhole: please report it"});
  }
}
