// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "command.h"
#include "environment.h"
#include "format.h"
#include "json_output.h"
#include "store_access.h"
#include "stored_entries.h"
#include "table.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct LsOptions {
  std::string layer, run;
  std::size_t limit = 0;
};

struct Listed {
  std::string where, key, state, guard;
  Layer layer = Layer::fx_graph;
  std::int64_t size = 0;
  Nanoseconds time = kUnknownTime;
  json document;
};

/// The newest snapshot of each location, among those taken for `run` (0: for any).
std::map<std::string, SnapshotRow> newest_snapshots(const std::vector<SnapshotRow>& all, RowId run) {
  std::map<std::string, SnapshotRow> out;
  for (const SnapshotRow& s : all) {
    if (run && s.run != run) continue;
    const auto [at, added] = out.try_emplace(s.record.location, s);
    if (!added && s.id > at->second.id) at->second = s;
  }
  return out;
}

Result<std::vector<Listed>> entries(const std::string& store, Reader& reader, std::optional<Layer> layer,
                                    const std::string& run) {
  RowId run_id = 0;
  std::set<std::string> keys;  // of the run: what it looked up of the store's own cache
  if (!run.empty()) {
    const auto row = find_run(reader, run);
    if (!row) return tl::make_unexpected(row.error());
    run_id = row->id;
    const auto lookups = reader.lookups_of_run(run_id);
    if (!lookups) return tl::make_unexpected(lookups.error());
    for (const LookupRow& l : *lookups) keys.insert(l.record.key);
  }
  std::vector<Listed> out;
  const auto snapshots = reader.snapshots();
  if (!snapshots) return tl::make_unexpected(snapshots.error());
  for (const auto& [location, snapshot] : newest_snapshots(*snapshots, run_id)) {
    const auto rows = reader.entries_of_snapshot(snapshot.id);
    if (!rows) return tl::make_unexpected(rows.error());
    for (const EntryRow& row : *rows) {
      const EntryRecord& r = row.record;
      if (layer && r.layer != *layer) continue;
      json document = to_json(row);
      document["location"] = location;
      out.push_back({location, r.key, name_of(r.state), r.guard, r.layer, r.size, r.modified, std::move(document)});
    }
  }
  const auto cached = stored_entries(store, layer, {});
  if (!cached) return tl::make_unexpected(cached.error());
  for (const CachedEntry& e : *cached) {
    if (run_id && !keys.contains(e.key)) continue;
    out.push_back({"(store)", e.key, "ok", e.guard, e.layer, e.size, std::max(e.last_use, e.created), to_json(e)});
  }
  return out;
}

int list(const Globals& globals, const LsOptions& options) {
  std::optional<Layer> layer;
  if (!options.layer.empty() && !(layer = layer_named(options.layer)))
    return report({ErrorKind::usage,
                   "no layer is called " + options.layer,
                   {},
                   "one of dynamo, aot_autograd, fx_graph, autotune, triton, code, cuda, remote"});
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  const auto listed = entries(globals.store, *reader, layer, options.run);
  if (!listed) return report(listed.error());
  const std::size_t shown = options.limit ? std::min(options.limit, listed->size()) : listed->size();
  if (globals.json) {
    json out = json::array();
    for (std::size_t i = 0; i < shown; ++i) out.push_back((*listed)[i].document);
    return print(dump(out));
  }
  if (listed->empty())
    return print("no entries; keyhole record takes the cache folder in, and so does keyhole import FOLDER\n");
  const Nanoseconds today = now();
  Table table({{"LAYER"}, {"KEY"}, {"SIZE", true}, {"TIME"}, {"STATE"}, {"LOCATION"}, {"GUARD"}});
  for (std::size_t i = 0; i < shown; ++i) {
    const Listed& e = (*listed)[i];
    table.add({name_of(e.layer), short_key(e.key), size_text(e.size), time_text(e.time, today), e.state,
               printable(e.where), shorten(e.guard, 80)},
              {{4, e.state == "ok" ? Style::plain : Style::bad}});
  }
  std::int64_t bytes = 0;
  for (const Listed& e : *listed) bytes += e.size;
  return print(table.text(Terminal::of(stdout)) +
               fmt::format("{}, {}{}\n", count_text(static_cast<std::int64_t>(listed->size()), "entry", "entries"),
                           size_text(bytes), shown < listed->size() ? fmt::format("; {} shown", shown) : ""));
}

}  // namespace

void add_ls(Commands& commands) {
  Command command = commands.add(
      "ls", "The entries of cache folders as their newest snapshots saw them, and of the store's own cache",
      "  keyhole ls --layer fx_graph\n  keyhole ls --run warm-up --json");
  auto options = std::make_shared<LsOptions>();
  command.text("--layer", options->layer, "Only of this layer, such as fx_graph or aot_autograd");
  command.text("--run", options->run, "Only of the snapshots that were taken for this run");
  command.number("-n", options->limit, "At most so many");
  commands.on([options](const Globals& globals) { return list(globals, *options); });
}

}  // namespace keyhole::cli
