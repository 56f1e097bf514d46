// SPDX-License-Identifier: Apache-2.0
#include "intake.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "format.h"
#include "spool.h"

namespace keyhole::cli {

Result<void> Intake::take(const std::string& path, ImportOptions options) {
  options.source_taken = [this](const std::string& identity) { return recorder_.source_taken(identity); };
  options.note_source = [this](const std::string& identity, std::int64_t size) {
    recorder_.note_source(identity, size);
  };
  const auto summary = import_path(path, options, pool_, *this);
  if (!summary) return tl::make_unexpected(summary.error());
  total_.lookups += summary->lookups;
  total_.entries += summary->entries;
  total_.folders += summary->folders;
  total_.mega_caches += summary->mega_caches;
  total_.unchanged += summary->unchanged;
  total_.passed_over += summary->passed_over;
  return {};
}

void list_problems(const std::vector<Problem>& problems, std::size_t limit) {
  for (std::size_t i = 0; i < std::min(limit, problems.size()); ++i) {
    const Problem& p = problems[i];
    fmt::print(stderr, "keyhole: {}{}: {}{}{}\n", shorten(p.source, 400),
               p.offset >= 0 ? fmt::format(", byte {}", p.offset) : "", shorten(p.what, 400),
               p.hint.empty() ? "" : "; ", shorten(p.hint, 400));
  }
  if (problems.size() > limit)
    fmt::print(stderr, "keyhole: and {} more\n",
               count_text(static_cast<std::int64_t>(problems.size() - limit), "problem"));
}

void adopt_abandoned(const std::string& store) {
  for (Spool& spool : Spool::abandoned(store)) {
    auto recorder = Recorder::open(store);
    if (!recorder || !(*recorder)->begin_run(spool.run())) return;  // the command itself tells what is wrong
    Intake intake(**recorder);
    for (const std::string& path : spool.leftovers()) (void)intake.take(path, still_growing());
    if (!(*recorder)->commit()) return;
    spool.remove();
    fmt::print(stderr, "keyhole: took in run {}, whose recording was cut short\n", shorten(spool.run().name, 100));
  }
}

ImportOptions still_growing() {
  ImportOptions options;
  options.growing = true;
  return options;
}

std::string host_name() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace keyhole::cli
