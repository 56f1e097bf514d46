// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "import_paths.h"
#include "intake.h"
#include "keyhole/db/recorder.h"
#include "terminal.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct Options {
  std::string run, location;
  std::vector<std::string> paths;
};

int import(const Globals& globals, const Options& options) {
  adopt_abandoned(globals.store);
  auto recorder = Recorder::open(globals.store);
  if (!recorder) return report(recorder.error());
  Intake intake(**recorder);
  const auto refused = import_paths(**recorder, intake, options.paths, options.run, options.location);
  if (auto committed = (*recorder)->commit(); !committed) return report(committed.error());

  for (const Error& error : refused) report(error);
  list_problems(intake.problems());
  const bool failed = !refused.empty() || !intake.problems().empty();
  if (globals.json) {
    json problems = json::array();
    for (const Error& e : refused) problems.push_back({{"source", e.where}, {"offset", nullptr}, {"what", e.what}});
    for (const Problem& p : intake.problems())
      problems.push_back({{"source", p.source}, {"offset", p.offset < 0 ? json(nullptr) : json(p.offset)}, {"what", p.what}});
    const json document = {{"lookups", intake.lookups()},
                           {"snapshots", intake.snapshots()},
                           {"entries", intake.entries()},
                           {"problems", std::move(problems)}};
    const int printed = print(document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    return failed ? kFailed : printed;
  }
  std::string line = count_text(intake.lookups(), "lookup");
  if (intake.snapshots()) line += fmt::format(", a snapshot of {}", count_text(intake.entries(), "entry", "entries"));
  if (!intake.problems().empty())
    line += fmt::format(", {}", count_text(static_cast<std::int64_t>(intake.problems().size()), "problem"));
  const int printed = print(fmt::format("read {}\n", line));
  return failed ? kFailed : printed;
}

}  // namespace

void add_import(Commands& commands) {
  CLI::App* command = commands.add(
      "import", "Take in traces, cache folders, mega-cache files and logs that others have made",
      "  keyhole import trace/                    # the folder that TORCH_TRACE named; also .gz, .xz, .zst\n"
      "  keyhole import --run nightly rank0.log rank1.log\n"
      "  keyhole import --location /tmp/torchinductor_ada copy-of-that-folder/");
  auto options = std::make_shared<Options>();
  command->add_option("--run", options->run, "The run that the files belong to; else each PATH is a run, called as it is");
  command->add_option("--location", options->location, "The folder given is a copy of this cache folder");
  command->add_option("PATH", options->paths, "Files and folders, recognised by their content")->required();
  commands.on(command, [options](const Globals& globals) { return import(globals, *options); });
}

}  // namespace keyhole::cli
