// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "command.h"
#include "environment.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/query.h"
#include "keyhole/db/store.h"
#include "keyhole/db/upkeep.h"
#include "quantity.h"
#include "store_access.h"
#include "stored_entries.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct GcOptions {
  std::string max_size, max_age;
  bool dry_run = false;
};

/// Runs that were imported, or whose recording was killed, tell no end: then their newest lookup says how old they are.
void date(Reader& reader, std::vector<RunRow>& runs) {
  for (RunRow& run : runs) {
    if (run.record.end != kUnknownTime) continue;
    LookupQuery newest;
    newest.filter = Filter::where(Field::run, Compare::equal, run.id);
    newest.sort = Field::time;
    newest.descending = true;
    newest.limit = 1;
    if (const auto page = reader.page(newest); page && !page->rows.empty())
      run.record.end = page->rows.front().record.time;
  }
}

/// Which runs go: those older than `max_age`, then the oldest until the history is expected to take `max_size` (-1: no
/// limit) bytes. The newest run of each program stays: it is what the next one is compared with.
std::vector<RunRow> runs_to_forget(const std::vector<RunRow>& runs, std::optional<Nanoseconds> max_age,
                                   std::int64_t max_size, std::int64_t history_bytes) {
  std::set<std::vector<std::string>> seen;
  std::set<RowId> kept;
  std::int64_t lookups = 0;
  for (std::size_t i = runs.size(); i-- > 0;) {
    if (seen.insert(runs[i].record.argv).second) kept.insert(runs[i].id);
    lookups += runs[i].lookups + 1;
  }
  const Nanoseconds today = now();
  std::vector<RunRow> out;
  std::int64_t expected = history_bytes;
  for (const RunRow& run : runs) {
    if (kept.contains(run.id)) continue;
    const Nanoseconds time = std::max(run.record.start, run.record.end);
    const bool old = max_age && time != kUnknownTime && today - time > *max_age;
    const bool large = max_size >= 0 && expected > max_size;
    if (!old && !large) continue;
    out.push_back(run);
    expected -= static_cast<std::int64_t>(static_cast<double>(history_bytes) * static_cast<double>(run.lookups + 1) /
                                          static_cast<double>(lookups));
  }
  return out;
}

int gc(const Globals& globals, const GcOptions& options) {
  if (options.max_size.empty() && options.max_age.empty())
    return report({ErrorKind::usage, "nothing says what may go", {}, "give --max-size, --max-age or both"});
  std::int64_t max_size = -1;
  std::optional<Nanoseconds> max_age;
  if (!options.max_size.empty()) {
    const auto size = parse_size(options.max_size);
    if (!size) return report(size.error());
    max_size = *size;
  }
  if (!options.max_age.empty()) {
    const auto age = parse_age(options.max_age);
    if (!age) return report(age.error());
    max_age = *age;
  }

  if (file_size(globals.store + "/history.db") > 0 &&
      !options.dry_run)  // before anything is weighed: may it be written?
    if (auto writable = open_history(globals.store); !writable) return report(writable.error());
  std::vector<RunRow> going;
  std::int64_t history_bytes = file_size(globals.store + "/history.db");
  {
    auto reader = open_store(globals.store);
    if (!reader) return report(reader.error());
    auto runs = reader->runs();
    if (!runs) return report(runs.error());
    if (max_age) date(*reader, *runs);
    going = runs_to_forget(*runs, max_age, max_size, history_bytes);
  }
  ForgetReport forgotten;
  forgotten.bytes_before = forgotten.bytes_after = history_bytes;
  if (!going.empty() && !options.dry_run) {
    std::vector<RowId> ids;
    for (const RunRow& run : going) ids.push_back(run.id);
    auto done = forget_runs(globals.store, ids);
    if (!done) return report(done.error());
    forgotten = *done;
    history_bytes = done->bytes_after;
  }
  Evicted evicted;
  if (file_size(globals.store + "/cache.db") > 0) {
    auto cache = ArtifactCache::open(globals.store, {.record = false});
    if (!cache) return report(cache.error());
    EvictionLimits limits;
    if (max_size >= 0) limits.max_size = std::max<std::int64_t>(0, max_size - history_bytes);
    if (max_age) limits.max_age = std::chrono::nanoseconds(*max_age);
    limits.dry_run = options.dry_run;
    auto done = evict(**cache, limits);
    if (!done) return report(done.error());
    evicted = *done;
    static_cast<void>(take_in_journals(**cache, std::chrono::seconds(1)));  // the history learns what was thrown out
  }

  std::int64_t lookups = 0;
  for (const RunRow& run : going) lookups += run.lookups;
  if (globals.json) {
    json names = json::array();
    for (const RunRow& run : going) names.push_back(run.record.name);
    return print(dump({{"dry_run", options.dry_run},
                       {"runs", std::move(names)},
                       {"lookups", lookups},
                       {"history_bytes_before", forgotten.bytes_before},
                       {"history_bytes_after", options.dry_run ? json(nullptr) : json(forgotten.bytes_after)},
                       {"cache_entries", evicted.entries},
                       {"cache_bytes", evicted.bytes}}));
  }
  const char* verb = options.dry_run ? "would go" : "gone";
  std::string out;
  for (const RunRow& run : going)
    out += fmt::format("{}: run {}, {}\n", verb, printable(run.record.name), count_text(run.lookups, "lookup"));
  out += fmt::format("{}: {} with {}, {} of the cache with {}", verb,
                     count_text(static_cast<std::int64_t>(going.size()), "run"), count_text(lookups, "lookup"),
                     count_text(evicted.entries, "entry", "entries"), size_text(evicted.bytes));
  if (!options.dry_run)
    out += fmt::format("; history {} -> {}", size_text(forgotten.bytes_before), size_text(forgotten.bytes_after));
  return print(out + "\n");
}

}  // namespace

void add_gc(Commands& commands) {
  Command command = commands.add(
      "gc", "Forget old runs and throw out cache entries that were not used for long; what they were stays known",
      "  keyhole gc --max-size 5GiB --max-age 30d --dry-run\n"
      "The newest run of each program stays: the next one is compared with it.");
  auto options = std::make_shared<GcOptions>();
  command.text("--max-size", options->max_size, "Of history and cache together; entries go first by their last use");
  command.text("--max-age", options->max_age, "Of runs since they ended, of entries since their last use");
  command.flag("--dry-run", options->dry_run, "Say what would go");
  commands.on([options](const Globals& globals) { return gc(globals, *options); });
}

}  // namespace keyhole::cli
