// SPDX-License-Identifier: Apache-2.0
#include "import_paths.h"

#include <filesystem>

#include "keyhole/db/recorder.h"
#include "keyhole/ingest/cache_folder.h"
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

bool holds_lookups(const std::string& path) {
  std::error_code error;
  return !(fs::is_directory(path, error) && is_cache_folder(path));
}

}  // namespace

std::vector<Error> import_paths(Recorder& recorder, Intake& intake, const std::vector<std::string>& paths,
                                const std::string& run, const std::string& location) {
  std::vector<Error> refused;
  bool begun = false;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::exists(path, error)) {
      refused.push_back({ErrorKind::not_found, "there is no such file or folder", path, {}});
      continue;
    }
    if (run.empty() ? holds_lookups(path) : !begun) {
      RunRecord record;
      record.name = run.empty() ? run_name(path) : run;
      if (auto id = recorder.begin_run(record); !id) {
        refused.push_back(id.error());
        return refused;
      }
      begun = true;
    }
    Progress progress(path);
    Intake::Options options;
    options.location = location;
    options.progress = [&](std::int64_t done, std::int64_t total) {
      progress.update(done, total);
      return true;
    };
    if (auto taken = intake.take(path, options); !taken) refused.push_back(taken.error());
  }
  return refused;
}

}  // namespace keyhole::cli
