// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "child.h"
#include "command.h"
#include "environment.h"
#include "format.h"
#include "intake.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"
#include "keyhole/ingest/cache_folder.h"
#include "keyhole/ingest/trace.h"
#include "silence.h"
#include "spool.h"
#include "store_access.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

namespace keyhole::cli {
namespace {

/// How often traces are taken in while the program runs.
constexpr auto kPollEvery = 500ms;
/// Exit statuses as a shell gives them.
enum : int { kNotExecutable = 126, kNoProgram = 127 };
/// A cache folder with more entries is listed, not decoded: the program should not wait for us.
constexpr std::size_t kDecodeAtMost = 4000;

struct RecordOptions {
  std::string run;
  bool no_snapshot = false;
};

std::size_t entries_up_to(const std::string& folder, std::size_t limit) {
  std::size_t n = 0;
  for (const char* kind : {"fxgraph", "aotautograd"}) {
    std::error_code error;
    for (fs::recursive_directory_iterator it(folder + "/" + kind, error), end; it != end && n <= limit;
         it.increment(error))
      ++n;
  }
  return n;
}

/// A program while it is recorded.
class Recording {
 public:
  Recording(Spool spool, std::unique_ptr<Recorder> recorder)
      : spool_(std::move(spool)), recorder_(std::move(recorder)), intake_(*recorder_) {}

  [[nodiscard]] const Intake& intake() const { return intake_; }
  [[nodiscard]] const Spool& spool() const { return spool_; }
  [[nodiscard]] bool saw_trace() const { return !readers_.empty(); }

  void snapshot(const std::string& location, SnapshotMoment moment) {
    std::error_code error;
    if (!fs::is_directory(location, error)) return;
    FolderOptions options;
    options.moment = moment;
    options.quick = entries_up_to(location, kDecodeAtMost) > kDecodeAtMost;
    // What is wrong with single entries stands in the snapshot; it is no problem of this recording.
    if (auto read = read_cache_folder(location, options, intake_.pool(), *recorder_); !read)
      intake_.problem({location, -1, read.error().what, read.error().hint});
    (void)recorder_->commit();  // a failure is remembered, and told by finish()
  }

  /// Takes in what the program has written so far.
  void poll() {
    for (const std::string& path : spool_.trace_files()) {
      auto& reader = readers_[path];
      if (!reader) {
        auto opened = open(path);
        if (!opened) continue;  // finish() tries again
        reader = std::move(*opened);
      }
      (void)reader->poll();  // finish() tells
    }
    (void)recorder_->commit();
  }

  /// Takes in the rest and notes how the program ended. All is durable then.
  Result<void> finish(int exit_status) {
    poll();
    const auto end = [&](const std::string& path, TraceReader& reader) {
      if (auto ended = reader.finish(); !ended) intake_.problem({path, -1, ended.error().what, ended.error().hint});
    };
    std::vector<std::string> done;
    for (auto& [path, reader] : readers_) {
      if (!reader) continue;
      end(path, *reader);
      reader.reset();
      done.push_back(path);
    }
    // Of very many traces at once some found no descriptor, and the folder itself may not have been read to its end.
    for (const std::string& path : spool_.trace_files()) {
      if (std::binary_search(done.begin(), done.end(), path)) continue;
      readers_.try_emplace(path);
      if (auto reader = open(path))
        end(path, **reader);
      else
        intake_.problem({path, -1, reader.error().what, reader.error().hint});
    }
    if (!spool_.log_file().empty())  // read together with the traces, whose lookups it adds to
      for (const std::string& path : spool_.leftovers()) (void)intake_.take(path, still_growing());
    RunRecord run = spool_.run();
    run.end = now();
    run.exit_status = exit_status;
    if (auto updated = recorder_->update_run(run); !updated) return updated;
    return recorder_->commit();
  }

  void remove_spool() { spool_.remove(); }

 private:
  Result<std::unique_ptr<TraceReader>> open(const std::string& path) {
    TraceOptions options;
    options.host = host_name();
    options.growing = true;
    return TraceReader::open(path, options, intake_.pool(), intake_);
  }

  Spool spool_;
  std::unique_ptr<Recorder> recorder_;
  Intake intake_;
  std::map<std::string, std::unique_ptr<TraceReader>> readers_;
};

/// "train-1121-100112" for `python train.py`: short enough to be typed.
std::string name_for(const std::vector<std::string>& command, Nanoseconds start) {
  std::string word = fs::path(command[0]).filename().string();
  if (word.starts_with("python") && command.size() > 1) {
    const auto script =
        std::find_if(command.begin() + 1, command.end(), [](const auto& w) { return !w.starts_with('-'); });
    if (script != command.end() && *(script - 1) != "-c") word = fs::path(*script).stem().string();
  }
  if (word.size() > 40) word.resize(40);
  for (char& c : word)
    if (static_cast<unsigned char>(c) <= ' ' || c == '/') c = '_';
  const auto whole = static_cast<std::time_t>(start / 1'000'000'000);
  std::tm local{};
  localtime_r(&whole, &local);
  char time[32];
  std::strftime(time, sizeof time, "-%m%d-%H%M%S", &local);
  return word + time;
}

/// `name`, or `name-2`, `name-3`, ... where the store has it already: a run is one invocation.
std::string free_name(const std::string& store, const std::string& name) {
  auto reader = Reader::open(store);
  if (!reader) return name;
  for (int n = 1;; ++n) {
    const std::string candidate = n == 1 ? name : fmt::format("{}-{}", name, n);
    const auto row = reader->run_named(candidate);
    if (!row || !*row) return candidate;
  }
}

/// What the recording could not see, each as a sentence.
std::vector<std::string> not_seen(const Recording& recording, const std::optional<RunRow>& run, Reader* reader) {
  std::vector<std::string> out;
  if (!run || run->lookups == run->bypasses) out = blind_spots();
  if (!recording.saw_trace())
    out.emplace_back(
        "PyTorch wrote no trace: the program compiled nothing with torch.compile, or does not use PyTorch");
  else if (out.empty() && (!run || run->lookups == 0))
    out.push_back("PyTorch wrote a trace without a single cache lookup" +
                  (run && reader ? ": " + why_no_lookups(*reader, *run) : std::string()));
  return out;
}

int summarize(const Globals& globals, const Recording& recording, int exit_status) {
  std::optional<RunRow> run;
  auto reader = Reader::open(globals.store);
  if (reader)
    if (auto row = reader->run_named(recording.spool().run().name)) run = *row;
  const std::vector<std::string> unseen = not_seen(recording, run, reader ? &*reader : nullptr);
  const std::string& name = recording.spool().run().name;
  if (globals.json) {
    const json document = {{"run", name},
                           {"exit_status", exit_status},
                           {"processes", run ? run->processes : 0},
                           {"lookups", run ? run->lookups : 0},
                           {"hits", run ? run->hits : 0},
                           {"misses", run ? run->misses : 0},
                           {"bypasses", run ? run->bypasses : 0},
                           {"problems", recording.intake().problems().size()},
                           {"not_seen", unseen}};
    (void)print(document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    return exit_status;
  }
  if (run && run->lookups > 0)
    fmt::print(stderr, "keyhole: recorded {}: {}, {}, {}{}{}\n", name, count_text(run->lookups, "lookup"),
               count_text(run->hits, "hit"), count_text(run->misses, "miss", "misses"),
               run->bypasses ? ", " + count_text(run->bypasses, "bypass", "bypasses") : "",
               run->misses + run->bypasses > 0 ? "; see: keyhole why" : "");
  else
    fmt::print(stderr, "keyhole: recorded {}: no lookups\n", name);
  for (const std::string& sentence : unseen) fmt::print(stderr, "keyhole: not seen: {}\n", sentence);
  list_problems(recording.intake().problems(), 5);
  return exit_status;
}

int record(const Globals& globals, const RecordOptions& options, const std::vector<std::string>& command) {
  if (command.empty()) return report({ErrorKind::usage, "no program to run", {}, "keyhole record -- python train.py"});
  if (auto found = Child::find(command.front()); !found) {
    report(found.error());
    return found.error().kind == ErrorKind::not_found ? kNoProgram : kNotExecutable;
  }
  Child::hold_signals();
  adopt_abandoned(globals.store);
  auto recorder = Recorder::open(globals.store);
  if (!recorder) return report(recorder.error());

  RunRecord run;
  run.start = now();
  run.name = free_name(globals.store, options.run.empty() ? name_for(command, run.start) : options.run);
  run.argv = command;
  std::error_code error;
  run.cwd = fs::current_path(error).string();
  run.env_json = environment_json();
  const GitState git = git_state();
  run.git_commit = git.commit;
  run.git_dirty = git.dirty;
  if (auto begun = (*recorder)->begin_run(run); !begun) return report(begun.error());
  auto spool = Spool::create(globals.store, run);
  if (!spool) return report(spool.error());

  Recording recording(std::move(*spool), std::move(*recorder));
  const std::string cache = inductor_cache_dir();
  if (!options.no_snapshot) recording.snapshot(cache, SnapshotMoment::before);

  auto child = Child::start(command, recording.spool().environment());
  int exit_status = kNotExecutable;
  if (child) {
    std::optional<Child::Ended> ended;
    while (!(ended = child->wait(kPollEvery))) recording.poll();
    exit_status = ended->exit_status;
    if (!options.no_snapshot) recording.snapshot(cache, SnapshotMoment::after);
  } else {
    report(child.error());
  }
  if (auto finished = recording.finish(exit_status); !finished) {
    report(finished.error());
    fmt::print(stderr, "keyhole: the traces are kept in {}; the next keyhole command takes them in\n",
               recording.spool().folder());
    return exit_status ? exit_status : kFailed;
  }
  recording.remove_spool();
  return child ? summarize(globals, recording, exit_status) : exit_status;
}

}  // namespace

void add_record(Commands& commands) {
  Command command = commands.add(
      "record", "Run a program and record its cache lookups; ends with the program's exit status",
      "  keyhole record -- python train.py\n  keyhole record --run warm -- torchrun --nproc-per-node 2 train.py");
  auto options = std::make_shared<RecordOptions>();
  command.text("--run", options->run, "What to call the run; else made from the program and the time");
  command.flag("--no-snapshot", options->no_snapshot, "Do not look at the cache folder before and after");
  command.takes_program();
  commands.on([options, &commands](const Globals& globals) { return record(globals, *options, commands.program()); });
}

}  // namespace keyhole::cli
