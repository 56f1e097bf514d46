// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <tuple>

#include "command.h"
#include "environment.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/explain/summary.h"
#include "store_access.h"
#include "why_text.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace keyhole::cli {
namespace {

struct DiffOptions {
  std::string before, after;
  bool verbose = false;
};

/// One side of the comparison: lookups of a store, one run or a single one of them.
struct Side {
  Reader* reader = nullptr;
  std::string name;
  std::vector<LookupRow> lookups;
};

/// The same graph on both sides.
struct Pair {
  const LookupRow* before;
  const LookupRow* after;
};

Result<void> load_components(Side& side, ComponentPool& pool) {
  for (LookupRow& l : side.lookups) {
    auto components = side.reader->components(l.component_set, pool);
    if (!components) return tl::make_unexpected(components.error());
    l.record.components = std::move(*components);
  }
  return {};
}

bool same_compile(const LookupRow& a, const LookupRow& b) {
  return a.process == b.process && a.record.compile == b.record.compile;
}

/// Lookups of one layer, rank, compile and direction, in the order of time, belong together; an equal key is the better
/// sign.
std::vector<Pair> pairs_of(const Side& before, const Side& after) {
  using Slot = std::tuple<Layer, int, std::string, Direction>;
  const auto slot = [](const LookupRow& l) {
    return Slot(l.record.layer, l.rank.value_or(-1), l.record.compile.text(), l.record.direction);
  };
  std::multimap<Slot, const LookupRow*> by_slot;
  std::multimap<std::pair<Layer, std::string>, const LookupRow*> by_key;
  for (const LookupRow& l : before.lookups) {
    by_slot.emplace(slot(l), &l);
    if (!l.record.key.empty()) by_key.emplace(std::pair(l.record.layer, l.record.key), &l);
  }
  std::vector<const LookupRow*> taken;
  const auto take = [&](auto range) -> const LookupRow* {
    for (auto it = range.first; it != range.second; ++it) {
      if (std::find(taken.begin(), taken.end(), it->second) != taken.end()) continue;
      taken.push_back(it->second);
      return it->second;
    }
    return nullptr;
  };
  std::vector<Pair> pairs;
  // Another rank's equal key must not take what is this rank's own.
  for (const LookupRow& l : after.lookups) {
    const LookupRow* same = nullptr;
    const auto range = by_slot.equal_range(slot(l));
    for (auto it = range.first; it != range.second && !same; ++it)
      if (!l.record.key.empty() && it->second->record.key == l.record.key &&
          std::find(taken.begin(), taken.end(), it->second) == taken.end())
        same = it->second;
    if (same) taken.push_back(same);
    pairs.push_back({same, &l});
  }
  for (Pair& p : pairs)
    if (!p.before) p.before = take(by_key.equal_range({p.after->record.layer, p.after->record.key}));
  for (Pair& p : pairs)
    if (!p.before) p.before = take(by_slot.equal_range(slot(*p.after)));
  return pairs;
}

/// The later lookup, to be explained by the earlier one alone.
Case case_of(const Pair& pair, const Side& before, const Side& after) {
  Case c;
  c.subject = *pair.after;
  LookupRow baseline = *pair.before;
  baseline.id = -pair.before->id;  // rows of two stores may have one number
  baseline.process = -pair.before->process;
  baseline.run_name = before.name;
  c.candidates = {baseline};
  c.against = baseline.id;
  for (const LookupRow& l : after.lookups)
    if (same_compile(l, c.subject)) c.compile.push_back(l);
  c.run = c.compile;
  if (auto row = after.reader->compile(pair.after->process, pair.after->record.compile)) c.compile_row = *row;
  if (auto symbols = after.reader->symbols(pair.after->process, pair.after->record.compile)) c.symbols = *symbols;
  c.texts = [&](const LookupRow& row, TextKind kind) {
    Reader& reader = row.process < 0 ? *before.reader : *after.reader;
    auto texts = reader.texts(std::abs(row.process), row.record.compile, kind);
    return texts ? std::move(*texts) : std::vector<TextRecord>();
  };
  return c;
}

/// With it, where its own components were not recorded, the lookups within the same compile.
Told told_of(const Pair& pair, const std::vector<Pair>& pairs, const Side& before, const Side& after) {
  Case c = case_of(pair, before, after);
  if (c.subject.record.layer == Layer::aot_autograd && c.subject.record.components.empty())
    for (const Pair& other : pairs)
      if (other.before && other.after->record.layer == Layer::fx_graph && same_compile(*other.after, c.subject) &&
          other.before->record.key != other.after->record.key)
        c.inner.push_back(case_of(other, before, after));
  Explanation explanation = explain(c);
  // Pairs are made by the runs that were given, lookup by lookup nobody chose.
  if (const std::size_t at = explanation.baseline_reason.find(", chosen by you"); at != std::string::npos)
    explanation.baseline_reason.resize(at);
  return {std::move(c.subject), std::move(explanation)};
}

std::vector<ComponentChange> changes_of(const Pair& pair) {
  std::map<std::string_view, ComponentPtr> earlier;
  for (const ComponentPtr c : pair.before->record.components) earlier.emplace(c->name, c);
  std::vector<ComponentChange> changes;
  for (const ComponentPtr c : pair.after->record.components) {
    const auto found = earlier.find(c->name);
    if (found == earlier.end()) {
      changes.push_back({nullptr, c});
      continue;
    }
    if (found->second->digest != c->digest) changes.push_back({found->second, c});
    earlier.erase(found);
  }
  for (const ComponentPtr c : pair.before->record.components)
    if (earlier.contains(c->name)) changes.push_back({c, nullptr});
  return changes;
}

int diff_lookups(const Globals& globals, const Side& before, const Side& after, const DiffOptions& options) {
  const Pair pair{&before.lookups.front(), &after.lookups.front()};
  const bool equal = pair.before->record.key == pair.after->record.key;
  const std::vector<ComponentChange> changes = changes_of(pair);
  std::vector<Cause> causes;
  if (!changes.empty()) causes = told_of(pair, {}, before, after).explanation.causes;
  if (globals.json) {
    json document = {{"before", to_json(*pair.before)}, {"after", to_json(*pair.after)}, {"equal_keys", equal}};
    document["components"] = json::array();
    for (const ComponentChange& change : changes) document["components"].push_back(to_json(change));
    document["causes"] = json::array();
    for (const Cause& cause : causes) document["causes"].push_back(to_json(cause));
    return print(dump(document));
  }
  std::string out = fmt::format(
      "{} → {}: {}\n", short_key(pair.before->record.key), short_key(pair.after->record.key),
      equal ? "the same key"
            : count_text(static_cast<std::int64_t>(changes.size()), "component differs", "components differ"));
  if (pair.before->record.components.empty() || pair.after->record.components.empty())
    out +=
        "  components were not recorded on both sides; TORCH_LOGS=+torch._functorch._aot_autograd.autograd_cache "
        "brings "
        "AOTAutograd's\n";
  const std::size_t limit = options.verbose ? std::string::npos : 60;
  const auto text = [&](const std::string& t) { return t.empty() ? std::string("(none)") : shorten(t, limit); };
  for (const Cause& c : causes)
    out += fmt::format("  {:<11} {}  {} → {}\n", c.role == Role::root ? "root" : "consequence", printable(c.component),
                       text(c.before), text(c.after));
  for (const ComponentChange& change : changes) {
    const std::string& name = (change.after ? change.after : change.before)->name;
    if (std::any_of(causes.begin(), causes.end(), [&](const Cause& c) { return c.component == name; })) continue;
    out += fmt::format("  {:<11} {}  {} → {}\n", "", printable(name), text(change.before ? change.before->text : ""),
                       text(change.after ? change.after->text : ""));
  }
  return print(out);
}

int diff_runs(const Globals& globals, const Side& before, const Side& after, const DiffOptions& options) {
  const std::vector<Pair> pairs = pairs_of(before, after);
  std::size_t equal = 0, common = 0;
  std::vector<Told> told;
  for (const Pair& pair : pairs) {
    if (!pair.before) continue;
    ++common;
    if (pair.before->record.key == pair.after->record.key)
      ++equal;
    else
      told.push_back(told_of(pair, pairs, before, after));
  }
  const std::size_t only_after = pairs.size() - common, only_before = before.lookups.size() - common;
  RunSummary summary = summarise(told);
  if (globals.json) {
    const json document = {{"before", before.name},      {"after", after.name},
                           {"common", common},           {"equal_keys", equal},
                           {"only_before", only_before}, {"only_after", only_after},
                           {"differing", told.size()},   {"causes", to_json(after.name, summary)["causes"]}};
    return print(dump(document));
  }
  const TextOptions text{Terminal::of(stdout), now(), options.verbose};
  std::string out = fmt::format("{} → {}: {} in both, {} with equal keys, {} differ", before.name, after.name,
                                count_text(static_cast<std::int64_t>(common), "lookup"), equal, told.size());
  if (!told.empty()) out += ", " + count_text(static_cast<std::int64_t>(summary.causes.size()), "cause");
  if (only_before) out += fmt::format("; {} only in {}", only_before, before.name);
  if (only_after) out += fmt::format("; {} only in {}", only_after, after.name);
  out += "\n";
  return print(out + causes_text(summary, told, text));
}

Result<Side> run_side(Reader& reader, const RunRow& run, const std::string& name) {
  auto lookups = reader.lookups_of_run(run.id);
  if (!lookups) return tl::make_unexpected(lookups.error());
  return Side{&reader, name, std::move(*lookups)};
}

bool is_store(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path + "/history.db", error);
}

int diff(const Globals& globals, const DiffOptions& options) {
  std::vector<std::unique_ptr<Reader>> readers;
  std::vector<Side> sides;
  bool lookups = false;
  for (const std::string& target : {options.before, options.after}) {
    const bool store = is_store(target);
    auto reader = open_store(store ? target : globals.store);
    if (!reader) return report(reader.error());
    readers.push_back(std::make_unique<Reader>(std::move(*reader)));
    Reader& r = *readers.back();
    const auto named =
        store ? find_run(r, {}).map([](const RunRow& row) { return std::optional(row); }) : r.run_named(target);
    if (!named) return report(named.error());
    if (*named) {
      auto side = run_side(r, **named, store ? target : (*named)->record.name);
      if (!side) return report(side.error());
      sides.push_back(std::move(*side));
      continue;
    }
    auto lookup = find_lookup(r, target, {});
    if (!lookup) return report(lookup.error());
    sides.push_back({&r, lookup->run_name, {std::move(*lookup)}});
    lookups = true;
  }
  ComponentPool pool;
  for (Side& side : sides) {
    if (side.lookups.empty()) return report({ErrorKind::not_found, "there is no lookup in " + side.name, {}, {}});
    if (auto loaded = load_components(side, pool); !loaded) return report(loaded.error());
  }
  if (!lookups) return diff_runs(globals, sides[0], sides[1], options);
  if (sides[0].lookups.size() != 1 || sides[1].lookups.size() != 1)
    return report(
        {ErrorKind::usage, "a run cannot be compared with a lookup", {}, "give two runs, two lookups, or two stores"});
  return diff_lookups(globals, sides[0], sides[1], options);
}

}  // namespace

void add_diff(Commands& commands) {
  Command command =
      commands.add("diff", "What differs between two runs, two lookups or keys, or the last runs of two stores",
                   "  keyhole diff warm-up after-change\n  keyhole diff 3 7\n  keyhole diff ~/store-a ~/store-b");
  auto options = std::make_shared<DiffOptions>();
  command.text("A", options->before, "A run, a lookup (number, key, compile id), or a store's folder", true);
  command.text("B", options->after, "What it is compared with", true);
  command.flag("-v,--verbose", options->verbose, "Everything, whole texts");
  commands.on([options](const Globals& globals) { return diff(globals, *options); });
}

}  // namespace keyhole::cli
