// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/explain/loader.h"
#include "store_access.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

/// A bypass is no failure of a warm start (it never could hit) unless the cache was switched off.
bool failed(const LookupRecord& lookup) {
  return lookup.cache_off || (lookup.outcome != Outcome::hit && lookup.outcome != Outcome::bypass);
}

int expect_hit(const Globals& globals, const std::string& name) {
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  const auto run = find_run(*reader, name);
  if (!run) return report(run.error());
  ComponentPool pool;
  CaseLoader loader(*reader, pool);
  const auto told = loader.tell_run(run->id);
  if (!told) return report(told.error());
  std::vector<Told> missed;
  for (const Told& t : *told)
    if (failed(t.lookup.record)) missed.push_back(t);
  const bool holds = missed.empty() && !told->empty();
  int printed = kDone;
  if (globals.json) {
    printed = print(dump({{"run", run->record.name},
                          {"holds", holds},
                          {"lookups", told->size()},
                          {"missed", json::parse(keyhole::to_json(missed))}}));
  } else {
    std::string out;
    for (const Told& t : missed)
      out += fmt::format("{} {} {}: {}\n", name_of(t.lookup.record.outcome), name_of(t.lookup.record.layer),
                         t.lookup.record.compile.text(), printable(t.explanation.summary));
    const std::string title = printable(run->record.name);
    if (told->empty())
      out += title + ": nothing was looked up, so nothing hit\n";
    else
      out += fmt::format("{}: {} of {} hit as expected\n", title, told->size() - missed.size(),
                         count_text(static_cast<std::int64_t>(told->size()), "lookup"));
    printed = print(out);
  }
  return printed != kDone ? printed : holds ? kDone : kGateFailed;
}

}  // namespace

void add_expect_hit(Commands& commands) {
  Command command = commands.add("expect-hit", "A gate: exit status 3 where a lookup of the run missed, and why",
                                 "  keyhole record -- python train.py && keyhole expect-hit");
  auto run = std::make_shared<std::string>();
  command.text("--run", *run, "This run; else the last");
  commands.on([run](const Globals& globals) { return expect_hit(globals, *run); });
}

}  // namespace keyhole::cli
