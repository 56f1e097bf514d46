// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "environment.h"
#include "format.h"
#include "json_output.h"
#include "store_access.h"
#include "table.h"
#include "terminal.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct LogOptions {
  std::string run;
  std::size_t limit = 0;
};

int log_runs(const Globals& globals, Reader& reader, const LogOptions& options) {
  auto runs = reader.runs();
  if (!runs) return report(runs.error());
  const std::size_t limit = options.limit ? options.limit : globals.json ? runs->size() : 20;
  const std::size_t first = runs->size() > limit ? runs->size() - limit : 0;
  if (globals.json) {
    json out = json::array();
    for (std::size_t i = first; i < runs->size(); ++i) out.push_back(to_json((*runs)[i]));
    return print(dump(out));
  }
  const Terminal terminal = Terminal::of(stdout);
  Table table({{"RUN"}, {"START"}, {"LOOKUPS", true}, {"HITS", true}, {"MISSES", true}, {"PROGRAM"}});
  const Nanoseconds today = now();
  for (std::size_t i = runs->size(); i-- > first;) {
    const RunRow& run = (*runs)[i];
    table.add({run.record.name, time_text(run.record.start, today), std::to_string(run.lookups),
               std::to_string(run.hits), std::to_string(run.misses),
               run.record.argv.empty() ? "(imported)" : program_text(run.record.argv)});
  }
  std::string out = table.text(terminal);
  if (first > 0)
    out += fmt::format("and {} earlier: -n {}\n", count_text(static_cast<std::int64_t>(first), "run"), runs->size());
  return print(out);
}

int log_lookups(const Globals& globals, Reader& reader, const LogOptions& options) {
  const auto run = find_run(reader, options.run);
  if (!run) return report(run.error());
  auto lookups = reader.lookups_of_run(run->id);
  if (!lookups) return report(lookups.error());
  const std::size_t limit = options.limit ? options.limit : lookups->size();
  const std::size_t first = lookups->size() > limit ? lookups->size() - limit : 0;
  if (globals.json) {
    json out = json::array();
    for (std::size_t i = first; i < lookups->size(); ++i) out.push_back(to_json((*lookups)[i]));
    return print(dump(out));
  }
  const Terminal terminal = Terminal::of(stdout);
  Table table({{"LOOKUP", true},
               {"TIME"},
               {"RANK", true},
               {"LAYER"},
               {"COMPILE"},
               {"OUTCOME"},
               {"LOST", true},
               {"KEY"},
               {"FUNCTION"}});
  const Nanoseconds today = now();
  for (std::size_t i = first; i < lookups->size(); ++i) {
    const LookupRow& l = (*lookups)[i];
    const bool hit = l.record.outcome == Outcome::hit;
    const Style style = hit ? Style::good : l.record.outcome == Outcome::bypass ? Style::warning : Style::bad;
    table.add({std::to_string(l.id), time_text(l.record.time, today), l.rank ? std::to_string(*l.rank) : "",
               name_of(l.record.layer), l.record.compile.text(), name_of(l.record.outcome),
               hit || l.record.cost < 0 ? "" : seconds_text(static_cast<double>(l.record.cost) / 1e9),
               short_key(l.record.key), l.function},
              {{5, style}});
  }
  return print(table.text(terminal));
}

int log(const Globals& globals, const LogOptions& options, bool one_run) {
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  return one_run ? log_lookups(globals, *reader, options) : log_runs(globals, *reader, options);
}

}  // namespace

void add_log(Commands& commands) {
  Command command = commands.add("log", "The runs of the store, newest first; or the lookups of one run",
                                 "  keyhole log\n  keyhole log --run warm-up");
  auto options = std::make_shared<LogOptions>();
  command.text("--run", options->run, "List the lookups of this run, in the order of time");
  command.number("-n", options->limit, "At most so many, the newest");
  commands.on([options, command](const Globals& globals) { return log(globals, *options, command.given("--run")); });
}

}  // namespace keyhole::cli
