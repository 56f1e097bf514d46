// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "environment.h"
#include "format.h"
#include "import_paths.h"
#include "intake.h"
#include "json_output.h"
#include "keyhole/explain/loader.h"
#include "keyhole/explain/summary.h"
#include "silence.h"
#include "store_access.h"
#include "why_text.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace keyhole::cli {
namespace {

struct WhyOptions {
  std::vector<std::string> targets;
  std::string run, against;
  bool all = false, verbose = false;
};

TextOptions text_options(const WhyOptions& options) {
  return {Terminal::of(stdout), now(), options.verbose};
}

int why_run(const Globals& globals, Reader& reader, const RunRow& run, const WhyOptions& options) {
  ComponentPool pool;
  CaseLoader loader(reader, pool);
  const auto told = loader.tell_run(run.id);
  if (!told) return report(told.error());
  if (options.all) return print(globals.json ? to_json(*told, 2) + "\n" : why_all_text(*told, text_options(options)));
  const RunSummary summary = summarise(*told);
  const std::string silence = told->empty() ? why_no_lookups(reader, run) : std::string();
  if (globals.json) return print(dump(to_json(run.record.name, summary, silence)));
  if (told->empty()) return print(run_title(run, now()) + ": no lookups\n  " + silence + "\n");
  return print(why_run_text(run_title(run, now()), summary, *told, text_options(options)));
}

/// What --against names: a lookup as TARGET does, or a run: then its lookup of the same layer, compile and direction.
Result<RowId> baseline_of(Reader& reader, const LookupRow& subject, const std::string& against) {
  const auto run = reader.run_named(against);
  if (!run) return tl::make_unexpected(run.error());
  if (!*run) {
    const auto lookup = find_lookup(reader, against, {});
    if (!lookup) return tl::make_unexpected(lookup.error());
    return lookup->id;
  }
  const auto lookups = reader.lookups_of_run((*run)->id);
  if (!lookups) return tl::make_unexpected(lookups.error());
  for (const LookupRow& l : *lookups)
    if (l.record.layer == subject.record.layer && l.record.compile.text() == subject.record.compile.text() &&
        l.record.direction == subject.record.direction)
      return l.id;
  return fail(ErrorKind::not_found,
              fmt::format("run {} has no {} lookup of compile {}", against, name_of(subject.record.layer),
                          subject.record.compile.text()),
              {}, "name one of its lookups; see: keyhole log --run " + shell_word(against));
}

int why_lookup(const Globals& globals, Reader& reader, const WhyOptions& options) {
  const auto lookup = find_lookup(reader, options.targets.front(), options.run);
  if (!lookup) return report(lookup.error());
  std::optional<RowId> against;
  if (!options.against.empty()) {
    const auto baseline = baseline_of(reader, *lookup, options.against);
    if (!baseline) return report(baseline.error());
    against = *baseline;
  }
  ComponentPool pool;
  CaseLoader loader(reader, pool);
  const auto told = loader.tell(lookup->id, against);
  if (!told) return report(told.error());
  return print(globals.json ? to_json(*told, 2) + "\n" : why_lookup_text(*told, text_options(options)));
}

/// A folder that is gone when we end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "keyhole-XXXXXX").string();
    if (mkdtemp(name.data())) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }  ///< empty: could not be made

 private:
  std::string path_;
};

/// The last of the runs that PATH... hold, explained by those before it. Nothing is kept.
int why_paths(const Globals& globals, const WhyOptions& options) {
  const TemporaryFolder folder;
  if (folder.path().empty()) return report({ErrorKind::io, "no temporary folder can be made", {}, "set TMPDIR"});
  const std::string store = folder.path() + "/store";
  std::size_t unread = 0;
  {
    auto recorder = Recorder::open(store, false);
    if (!recorder) return report(recorder.error());
    Intake intake(**recorder);
    const ImportedPaths imported = import_paths(**recorder, intake, options.targets, {}, {});
    if (auto committed = (*recorder)->commit(); !committed) return report(committed.error());
    for (const Error& error : imported.refused) report(error);
    list_problems(intake.problems());
    unread = imported.refused.size() + intake.problems().size();
    if (intake.total().lookups == 0 && unread > 0) return kFailed;
  }
  auto reader = Reader::open(store);
  if (!reader) return report(reader.error());
  const auto runs = reader->runs();
  if (!runs) return report(runs.error());
  // The order in which the paths were given is the user's order of time.
  const RunRow* last = nullptr;
  for (const RunRow& run : *runs)
    if (run.lookups > 0 && (!last || run.id > last->id)) last = &run;
  if (!last) {
    const bool traced = !runs->empty() && runs->back().processes > 0;
    return report({ErrorKind::not_found, "there is no lookup in what was given", options.targets.back(),
                   traced ? why_no_lookups(*reader, runs->back())
                          : std::string("give a trace (TORCH_TRACE) or a debug log (TORCH_LOGS)")});
  }
  const int status = why_run(globals, *reader, *last, options);
  return status == kDone && unread > 0 ? kFailed : status;
}

bool is_path(const std::string& target) {
  std::error_code error;
  return target != "last" && fs::exists(target, error);
}

int why(const Globals& globals, const WhyOptions& options) {
  if (!options.targets.empty() && is_path(options.targets.front())) return why_paths(globals, options);
  if (options.targets.size() > 1)
    return report({ErrorKind::usage,
                   "there is no file or folder " + options.targets.front(),
                   {},
                   "give one TARGET, or paths that exist"});
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  if (!options.targets.empty()) return why_lookup(globals, *reader, options);
  if (!options.against.empty())
    return report({ErrorKind::usage, "--against needs a TARGET", {}, "keyhole why 0/0 --against warm-up"});
  const auto run = find_run(*reader, options.run);
  if (!run) return report(run.error());
  return why_run(globals, *reader, *run, options);
}

}  // namespace

void add_why(Commands& commands) {
  Command command = commands.add(
      "why", "Why lookups missed: of the last run, of files, or of one lookup",
      "  keyhole why                              # the last run: causes, most seconds first\n"
      "  keyhole why yesterday/ today/            # files alone, no store: the last one against the others\n"
      "  keyhole why 0/0 --against warm-up        # one lookup, compared with the one you choose");
  auto options = std::make_shared<WhyOptions>();
  command.texts(
      "TARGET|PATH", options->targets,
      "A lookup: last, its number, a compile id such as 0/0, a key or its unique beginning; or files and folders");
  command.flag("--all", options->all, "The verdict of each lookup");
  command.text("--run", options->run, "Of this run; else of the last");
  command.text("--against", options->against, "Compare with this lookup, or with the same lookup of this run");
  command.flag("-v,--verbose", options->verbose, "All causes, candidates, guards and layers, whole texts");
  commands.on([options](const Globals& globals) { return why(globals, *options); });
}

}  // namespace keyhole::cli
