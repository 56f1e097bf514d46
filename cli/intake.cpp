// SPDX-License-Identifier: Apache-2.0
#include "intake.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "format.h"
#include "keyhole/ingest/cache_folder.h"
#include "keyhole/ingest/source.h"
#include "keyhole/ingest/trace.h"
#include "spool.h"

namespace fs = std::filesystem;

namespace keyhole::cli {

RecordSink::ProcessId Intake::process(const ProcessRecord& record) { return recorder_.process(record); }

void Intake::lookup(ProcessId process, const LookupRecord& record) {
  ++lookups_;
  recorder_.lookup(process, record);
}

RecordSink::SnapshotId Intake::begin_snapshot(const SnapshotRecord& record) {
  ++snapshots_;
  return recorder_.begin_snapshot(record);
}

void Intake::entry(SnapshotId snapshot, const EntryRecord& record) {
  ++entries_;
  recorder_.entry(snapshot, record);
}

void Intake::problem(const Problem& problem) {
  problems_.push_back(problem);
  recorder_.problem(problem);
}

Result<void> Intake::take(const std::string& path, const Options& options) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (is_cache_folder(path)) {
      FolderOptions folder;
      folder.location = options.location;
      folder.moment = options.moment;
      folder.progress = options.progress;
      if (auto read = read_cache_folder(path, folder, pool_, *this); !read) return tl::make_unexpected(read.error());
      return {};
    }
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(path, error))
      if (entry.is_regular_file(error)) files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    bool any = false;
    for (const std::string& file : files) any = take(file, options).has_value() || any;
    if (any) return {};
    return fail(ErrorKind::bad_input, "nothing in this folder is known to Keyhole", path, "give the folder that TORCH_TRACE named, or a cache folder");
  }
  const auto head = read_head(path);
  if (!head) return tl::make_unexpected(head.error());
  if (!looks_like_trace(*head)) return fail(ErrorKind::bad_input, "neither trace nor cache folder", path);
  TraceOptions trace;
  trace.growing = true;
  trace.progress = options.progress;
  if (auto read = read_trace(path, trace, pool_, *this); !read) return tl::make_unexpected(read.error());
  return {};
}

void list_problems(const std::vector<Problem>& problems, std::size_t limit) {
  for (std::size_t i = 0; i < std::min(limit, problems.size()); ++i) {
    const Problem& p = problems[i];
    fmt::print(stderr, "keyhole: {}{}: {}{}{}\n", shorten(p.source, 400),
               p.offset >= 0 ? fmt::format(", byte {}", p.offset) : "", shorten(p.what, 400), p.hint.empty() ? "" : "; ",
               shorten(p.hint, 400));
  }
  if (problems.size() > limit) fmt::print(stderr, "keyhole: and {} more\n", count_text(static_cast<std::int64_t>(problems.size() - limit), "problem"));
}

void adopt_abandoned(const std::string& store) {
  for (Spool& spool : Spool::abandoned(store)) {
    auto recorder = Recorder::open(store);
    if (!recorder || !(*recorder)->begin_run(spool.run())) return;  // the command itself tells what is wrong
    Intake intake(**recorder);
    for (const std::string& file : spool.trace_files()) (void)intake.take(file, {});
    if (const std::string log = spool.log_file(); !log.empty()) (void)intake.take(log, {});
    if (!(*recorder)->commit()) return;
    spool.remove();
    fmt::print(stderr, "keyhole: took in run {}, whose recording was cut short\n", shorten(spool.run().name, 100));
  }
}

std::string host_name() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace keyhole::cli
