// SPDX-License-Identifier: Apache-2.0
#include "import_paths.h"

#include <filesystem>

#include "keyhole/db/recorder.h"
#include "terminal.h"

namespace fs = std::filesystem;

namespace keyhole::cli {
namespace {

/// "../x/trace" for "../x//trace/": what the user typed, made regular.
std::string run_name(const std::string& path) {
  std::string name = fs::path(path).lexically_normal().string();
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  return name;
}

/// A snapshot alone belongs to no run.
bool holds_lookups(SourceKind kind) {
  return kind == SourceKind::trace || kind == SourceKind::torch_log || kind == SourceKind::folder;
}

}  // namespace

ImportedPaths import_paths(Recorder& recorder, Intake& intake, const std::vector<std::string>& paths,
                           const std::string& run, const std::string& location) {
  ImportedPaths result;
  for (const std::string& path : paths) {
    const SourceKind kind = detect(path);
    const bool readable = kind != SourceKind::missing && kind != SourceKind::unknown;  // take() tells what is wrong
    std::error_code error;
    // A copy of a cache folder that holds nothing is a snapshot too.
    const bool emptied = kind == SourceKind::folder && !location.empty() && fs::is_empty(path, error);
    if (readable && !(emptied && run.empty()) && (run.empty() ? holds_lookups(kind) : result.runs.empty())) {
      RunRecord record;
      record.name = run.empty() ? run_name(path) : run;
      if (auto id = recorder.begin_run(record); !id) {
        result.refused.push_back(id.error());
        return result;
      }
      if (result.runs.empty() || result.runs.back() != record.name) result.runs.push_back(record.name);
    }
    Progress progress(path);
    ImportOptions options;
    options.location = location;
    options.progress = [&](std::int64_t done, std::int64_t total) {
      progress.update(done, total);
      return true;
    };
    if (auto taken = intake.take(path, std::move(options)); !taken) result.refused.push_back(taken.error());
  }
  return result;
}

}  // namespace keyhole::cli
