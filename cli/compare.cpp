// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <tuple>

#include "command.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/explain/loader.h"
#include "store_access.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct CompareOptions {
  std::string before, after, fail_on;
};

/// The place of a lookup in a program: what two runs of it have in common.
using Place = std::tuple<int, Layer, std::string, Direction, std::size_t>;

/// With the places in the order of time.
std::vector<std::pair<Place, const LookupRow*>> places(const std::vector<LookupRow>& lookups) {
  std::vector<std::pair<Place, const LookupRow*>> out;
  std::map<Place, std::size_t> seen;
  for (const LookupRow& l : lookups) {
    Place place{l.rank.value_or(-1), l.record.layer, l.record.compile.text(), l.record.direction, 0};
    std::get<4>(place) = seen[place]++;
    out.emplace_back(place, &l);
  }
  return out;
}

bool missed(const LookupRecord& l) {
  return l.outcome != Outcome::hit && l.outcome != Outcome::bypass;
}

struct NewMiss {
  const LookupRow* before = nullptr;  ///< null: looked up in the later run alone
  Told after;
};

Result<std::vector<NewMiss>> new_misses(CaseLoader& loader, const std::vector<LookupRow>& before,
                                        const std::vector<LookupRow>& after) {
  std::map<Place, const LookupRow*> earlier;
  for (const auto& [place, lookup] : places(before)) earlier.emplace(place, lookup);
  std::vector<NewMiss> out;
  for (const auto& [place, lookup] : places(after)) {
    if (!missed(lookup->record)) continue;
    const auto at = earlier.find(place);
    const LookupRow* then = at == earlier.end() ? nullptr : at->second;
    if (then && missed(then->record)) continue;
    auto told = loader.tell(lookup->id);
    if (!told) return tl::make_unexpected(told.error());
    out.push_back({then, std::move(*told)});
  }
  return out;
}

int compare(const Globals& globals, const CompareOptions& options) {
  if (!options.fail_on.empty() && options.fail_on != "new-miss")
    return report({ErrorKind::usage, "--fail-on knows no " + options.fail_on, {}, "it is new-miss"});
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  std::vector<LookupRow> lookups[2];
  for (const int side : {0, 1}) {
    const std::string& name = side == 0 ? options.before : options.after;
    const auto run = find_run(*reader, name);
    if (!run) return report(run.error());
    auto rows = reader->lookups_of_run(run->id);
    if (!rows) return report(rows.error());
    lookups[side] = std::move(*rows);
  }
  ComponentPool pool;
  CaseLoader loader(*reader, pool);
  const auto fresh = new_misses(loader, lookups[0], lookups[1]);
  if (!fresh) return report(fresh.error());
  const auto count_missed = [](const std::vector<LookupRow>& rows) {
    std::int64_t n = 0;
    for (const LookupRow& l : rows) n += missed(l.record);
    return n;
  };
  int printed = kDone;
  if (globals.json) {
    json list = json::array();
    for (const NewMiss& m : *fresh) {
      json lookup = json::parse(keyhole::to_json(m.after));
      lookup["before"] = m.before ? json(m.before->id) : json(nullptr);
      list.push_back(std::move(lookup));
    }
    printed = print(dump({{"before", options.before},
                          {"after", options.after},
                          {"misses_before", count_missed(lookups[0])},
                          {"misses_after", count_missed(lookups[1])},
                          {"new_misses", std::move(list)}}));
  } else {
    std::string out;
    for (const NewMiss& m : *fresh)
      out += fmt::format("new {} {} {}{}: {}\n", name_of(m.after.lookup.record.outcome),
                         name_of(m.after.lookup.record.layer), m.after.lookup.record.compile.text(),
                         m.before ? "" : ", not looked up before", printable(m.after.explanation.summary));
    out += fmt::format("{} → {}: {}, before {}, after {}\n", printable(options.before), printable(options.after),
                       count_text(static_cast<std::int64_t>(fresh->size()), "new miss", "new misses"),
                       count_text(count_missed(lookups[0]), "miss", "misses"),
                       count_text(count_missed(lookups[1]), "miss", "misses"));
    printed = print(out);
  }
  if (printed != kDone) return printed;
  return options.fail_on.empty() || fresh->empty() ? kDone : kGateFailed;
}

}  // namespace

void add_compare(Commands& commands) {
  Command command = commands.add("compare", "What a run missed that an earlier one did not; a gate with --fail-on",
                                 "  keyhole compare main pull-request --fail-on new-miss");
  auto options = std::make_shared<CompareOptions>();
  command.text("BEFORE", options->before, "The run to compare with", true);
  command.text("AFTER", options->after, "The run to be judged", true);
  command.text("--fail-on", options->fail_on, "new-miss: exit status 3 where there is one");
  commands.on([options](const Globals& globals) { return compare(globals, *options); });
}

}  // namespace keyhole::cli
