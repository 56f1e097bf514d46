// SPDX-License-Identifier: Apache-2.0
#include "keyhole/explain/ranks.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/explain/loader.h"
#include "store_access.h"
#include "table.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

json row_json(const RankRow& row, const std::vector<int>& ranks) {
  json cells = json::array(), split = json::array();
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const auto& cell = row.cells[i];
    cells.push_back({{"rank", ranks[i]},
                     {"lookup", cell ? json(cell->lookup) : json(nullptr)},
                     {"outcome", cell ? json(name_of(cell->outcome)) : json(nullptr)},
                     {"key", cell ? text_or_null(cell->key) : json(nullptr)}});
  }
  for (const Cause& cause : row.split) split.push_back(to_json(cause));
  return {{"layer", name_of(row.layer)},
          {"compile_id", text_or_null(row.compile_id)},
          {"direction", name_of(row.direction)},
          {"nth", row.nth},
          {"function", text_or_null(row.function)},
          {"keys_differ", row.keys_differ},
          {"cells", std::move(cells)},
          {"split", std::move(split)}};
}

std::string split_text(const RankRow& row, const RankMatrix& matrix) {
  if (row.split.empty() && row.keys_differ) {
    // AOTAutograd leaves its components out of a trace: a graph within the same compile tells.
    for (const RankRow& inner : matrix.rows)
      if (row.layer == Layer::aot_autograd && inner.layer == Layer::fx_graph && inner.compile_id == row.compile_id &&
          !inner.split.empty())
        return "by fx_graph: " + split_text(inner, matrix);
    return "keys differ; their components were not recorded";
  }
  if (row.split.empty()) return "";
  const Cause& cause = row.split.front();
  std::string out = fmt::format("{}  {} → {}", cause.component, shorten(cause.before, 60), shorten(cause.after, 60));
  if (row.split.size() > 1) out += fmt::format(" and {} more", row.split.size() - 1);
  return out;
}

int ranks(const Globals& globals, const std::string& name) {
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  const auto run = find_run(*reader, name);
  if (!run) return report(run.error());
  ComponentPool pool;
  CaseLoader loader(*reader, pool);
  const auto lookups = loader.with_components(run->id);
  if (!lookups) return report(lookups.error());
  const RankMatrix matrix = rank_matrix(*lookups);
  if (globals.json) {
    json rows = json::array();
    for (const RankRow& row : matrix.rows) rows.push_back(row_json(row, matrix.ranks));
    return print(dump({{"run", run->record.name}, {"ranks", matrix.ranks}, {"graphs", std::move(rows)}}));
  }
  if (matrix.ranks.empty()) return print(printable(run->record.name) + ": no process of this run has a rank\n");
  std::vector<Table::Column> columns = {{"LAYER"}, {"COMPILE"}, {"GRAPH"}};
  for (const int rank : matrix.ranks) columns.push_back({fmt::format("RANK {}", rank)});
  columns.push_back({"WHAT SPLITS THEM"});
  Table table(columns);
  std::size_t differ = 0;
  for (const RankRow& row : matrix.rows) {
    differ += row.keys_differ;
    std::vector<std::string> cells = {name_of(row.layer), row.compile_id,
                                      row.direction == Direction::unknown ? "" : name_of(row.direction)};
    std::map<std::size_t, Style> styles;
    for (const auto& cell : row.cells) {
      if (cell) styles[cells.size()] = cell->outcome == Outcome::hit ? Style::good : Style::bad;
      cells.emplace_back(cell ? name_of(cell->outcome) : "-");
    }
    cells.push_back(printable(split_text(row, matrix)));
    table.add(std::move(cells), std::move(styles));
  }
  return print(table.text(Terminal::of(stdout)) +
               fmt::format("{}, {}, {} with keys that differ\n",
                           count_text(static_cast<std::int64_t>(matrix.rows.size()), "graph"),
                           count_text(static_cast<std::int64_t>(matrix.ranks.size()), "rank"), differ));
}

}  // namespace

void add_ranks(Commands& commands) {
  Command command = commands.add("ranks", "Graphs × ranks of a run: who hit, who missed, and what splits their keys",
                                 "  keyhole ranks\n  keyhole ranks --run nightly --json");
  auto run = std::make_shared<std::string>();
  command.text("--run", *run, "This run; else the last");
  commands.on([run](const Globals& globals) { return ranks(globals, *run); });
}

}  // namespace keyhole::cli
