// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "import_paths.h"
#include "intake.h"
#include "json_output.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct ImportArguments {
  std::string run, location;
  std::vector<std::string> paths;
};

int import(const Globals& globals, const ImportArguments& options) {
  adopt_abandoned(globals.store);
  auto recorder = Recorder::open(globals.store);
  if (!recorder) return report(recorder.error());
  Intake intake(**recorder);
  const ImportedPaths imported = import_paths(**recorder, intake, options.paths, options.run, options.location);
  if (auto committed = (*recorder)->commit(); !committed) return report(committed.error());

  const ImportSummary& total = intake.total();
  for (const Error& error : imported.refused) report(error);
  list_problems(intake.problems());
  const bool failed = !imported.refused.empty() || !intake.problems().empty();
  std::vector<RunRow> runs;
  if (auto reader = Reader::open(globals.store))
    for (const std::string& name : imported.runs)
      if (auto row = reader->run_named(name); row && *row) runs.push_back(std::move(**row));

  int printed = kDone;
  if (globals.json) {
    json document = {{"runs", json::array()},
                     {"snapshots", total.folders + total.mega_caches},
                     {"entries", total.entries},
                     {"unchanged", total.unchanged},
                     {"problems", json::array()}};
    for (const RunRow& run : runs) document["runs"].push_back(to_json(run));
    for (const Error& e : imported.refused)
      document["problems"].push_back(to_json(Problem{e.where, -1, e.what, e.hint}));
    for (const Problem& p : intake.problems()) document["problems"].push_back(to_json(p));
    printed = print(dump(document));
  } else {
    std::string out;
    for (const RunRow& run : runs)
      out += fmt::format("{}: {}, {}, {}\n", printable(run.record.name), count_text(run.lookups, "lookup"),
                         count_text(run.hits, "hit"), count_text(run.misses, "miss", "misses"));
    if (const auto snapshots = total.folders + total.mega_caches)
      out +=
          fmt::format("{} of {}\n", count_text(snapshots, "snapshot"), count_text(total.entries, "entry", "entries"));
    if (total.unchanged)
      out += fmt::format("{} unchanged since {} taken in\n", count_text(total.unchanged, "source"),
                         total.unchanged == 1 ? "it was" : "they were");
    printed = print(out);
  }
  return failed ? kFailed : printed;
}

}  // namespace

void add_import(Commands& commands) {
  Command command = commands.add(
      "import", "Take in traces, cache folders, mega-cache files and logs that others have made",
      "  keyhole import trace/                    # the folder that TORCH_TRACE named; also .gz, .xz, .zst\n"
      "  keyhole import --run nightly rank0.log rank1.log\n"
      "  keyhole import --location /tmp/torchinductor_ada copy-of-that-folder/");
  auto options = std::make_shared<ImportArguments>();
  command.text("--run", options->run, "The run that the files belong to; else each PATH is a run, called as it is");
  command.text("--location", options->location, "The folder given is a copy of this cache folder");
  command.texts("PATH", options->paths, "Files and folders, recognised by their content", true);
  commands.on([options](const Globals& globals) { return import(globals, *options); });
}

}  // namespace keyhole::cli
