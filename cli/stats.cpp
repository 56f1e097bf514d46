// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/db/query.h"
#include "store_access.h"
#include "stored_entries.h"
#include "table.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct Counters {
  std::int64_t lookups = 0, hits = 0, misses = 0, guard_misses = 0, bypasses = 0, errors = 0;
  Nanoseconds lost = 0, saved = 0;

  void add(Outcome outcome, const Tally& tally) {
    lookups += tally.lookups;
    (outcome == Outcome::hit          ? hits
     : outcome == Outcome::miss       ? misses
     : outcome == Outcome::guard_miss ? guard_misses
     : outcome == Outcome::bypass     ? bypasses
                                      : errors) += tally.lookups;
    if (outcome == Outcome::hit)
      saved += tally.saved;
    else
      lost += tally.cost;
  }
  /// Of what could have hit; absent where nothing could.
  [[nodiscard]] std::optional<double> hit_rate() const {
    const auto asked = lookups - bypasses;
    return asked > 0 ? std::optional(static_cast<double>(hits) / static_cast<double>(asked)) : std::nullopt;
  }
};

std::int64_t integer(const Tally& tally) {
  const auto* value = std::get_if<std::int64_t>(&tally.value);
  return value ? *value : 0;
}

Result<std::map<Layer, Counters>> count(Reader& reader, const Filter& filter) {
  std::map<Layer, Counters> out;
  const auto layers = reader.tally(Field::layer, filter);
  if (!layers) return tl::make_unexpected(layers.error());
  for (const Tally& layer : *layers) {
    const auto outcomes = reader.tally(
        Field::outcome, Filter::all_of({filter, Filter::where(Field::layer, Compare::equal, integer(layer))}));
    if (!outcomes) return tl::make_unexpected(outcomes.error());
    for (const Tally& outcome : *outcomes)
      out[static_cast<Layer>(integer(layer))].add(static_cast<Outcome>(integer(outcome)), outcome);
  }
  return out;
}

int stats(const Globals& globals, const std::string& run) {
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  Filter filter;
  if (!run.empty()) {
    const auto row = find_run(*reader, run);
    if (!row) return report(row.error());
    filter = Filter::where(Field::run, Compare::equal, row->id);
  }
  const auto layers = count(*reader, filter);
  if (!layers) return report(layers.error());
  const auto runs = reader->runs();
  if (!runs) return report(runs.error());
  const auto cached = stored_entries(globals.store, {}, {});
  if (!cached) return report(cached.error());
  std::int64_t cached_bytes = 0;
  for (const CachedEntry& e : *cached) cached_bytes += e.size;
  const std::int64_t history = file_size(globals.store + "/history.db") + file_size(globals.store + "/history.db-wal");
  const std::int64_t cache_db = file_size(globals.store + "/cache.db") + file_size(globals.store + "/cache.db-wal");

  if (globals.json) {
    json rows = json::array();
    for (const auto& [layer, c] : *layers)
      rows.push_back({{"layer", name_of(layer)},
                      {"lookups", c.lookups},
                      {"hits", c.hits},
                      {"misses", c.misses},
                      {"guard_misses", c.guard_misses},
                      {"bypasses", c.bypasses},
                      {"errors", c.errors},
                      {"hit_rate", c.hit_rate() ? json(*c.hit_rate()) : json(nullptr)},
                      {"seconds_lost", seconds_json(c.lost)},
                      {"seconds_saved", seconds_json(c.saved)}});
    return print(dump({{"run", text_or_null(run)},
                       {"runs", runs->size()},
                       {"layers", std::move(rows)},
                       {"history_bytes", history},
                       {"cache_database_bytes", cache_db},
                       {"cache_entries", cached->size()},
                       {"cache_content_bytes", cached_bytes}}));
  }
  Table table({{"LAYER"},
               {"LOOKUPS", true},
               {"HITS", true},
               {"MISSES", true},
               {"GUARD MISSES", true},
               {"BYPASSES", true},
               {"ERRORS", true},
               {"HIT RATE", true},
               {"LOST", true},
               {"SAVED", true}});
  for (const auto& [layer, c] : *layers)
    table.add({name_of(layer), std::to_string(c.lookups), std::to_string(c.hits), std::to_string(c.misses),
               std::to_string(c.guard_misses), std::to_string(c.bypasses), c.errors ? std::to_string(c.errors) : "",
               c.hit_rate() ? fmt::format("{:.1f} %", 100 * *c.hit_rate()) : "-",
               seconds_text(static_cast<double>(c.lost) / 1e9), seconds_text(static_cast<double>(c.saved) / 1e9)});
  return print(table.text(Terminal::of(stdout)) +
               fmt::format("{}, history {}; {} of the store's own cache, {} of content\n",
                           count_text(static_cast<std::int64_t>(runs->size()), "run"), size_text(history),
                           count_text(static_cast<std::int64_t>(cached->size()), "entry", "entries"),
                           size_text(cached_bytes)));
}

}  // namespace

void add_stats(Commands& commands) {
  Command command = commands.add("stats", "Lookups, hits, misses and seconds by layer, and what the store takes",
                                 "  keyhole stats\n  keyhole stats --run warm-up\n"
                                 "An outer layer's seconds contain those of the layers within.");
  auto run = std::make_shared<std::string>();
  command.text("--run", *run, "Only of this run");
  commands.on([run](const Globals& globals) { return stats(globals, *run); });
}

}  // namespace keyhole::cli
