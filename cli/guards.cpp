// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/guard/expression.h"
#include "store_access.h"
#include "stored_entries.h"
#include "terminal.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct GuardsOptions {
  std::string key;
  std::vector<std::string> hints;
};

constexpr Layer kLayers[] = {Layer::dynamo, Layer::aot_autograd, Layer::fx_graph, Layer::autotune,
                             Layer::triton, Layer::code,         Layer::cuda,     Layer::remote};

/// One entry, or one lookup that tells of a guard, under the key.
struct Candidate {
  std::string source, guard;
  Layer layer = Layer::fx_graph;
};

void add(std::vector<Candidate>& candidates, Candidate candidate) {
  for (const Candidate& c : candidates)
    if (c.layer == candidate.layer && c.guard == candidate.guard) return;
  candidates.push_back(std::move(candidate));
}

/// Entries first, then guards that lookups of the key were told: each expression once a layer.
Result<std::vector<Candidate>> candidates_of(Reader& reader, const std::string& store, const std::string& key) {
  std::vector<Candidate> out;
  for (const Layer layer : kLayers) {
    const auto entries = reader.entries_with_key(layer, key);
    if (!entries) return tl::make_unexpected(entries.error());
    for (const EntryRow& e : *entries) add(out, {e.record.path, e.record.guard, layer});
  }
  const auto cached = stored_entries(store, {}, key);
  if (!cached) return tl::make_unexpected(cached.error());
  for (const CachedEntry& e : *cached) add(out, {"(store) " + e.name, e.guard, e.layer});
  for (const Layer layer : kLayers) {
    const auto lookups = reader.lookups_with_key(layer, key, 0, 1000);
    if (!lookups) return tl::make_unexpected(lookups.error());
    for (const LookupRow& l : *lookups)
      if (!l.record.guard.empty()) add(out, {fmt::format("lookup {}", l.id), l.record.guard, layer});
  }
  return out;
}

Result<Hints> hints_of(const std::vector<std::string>& words) {
  Hints hints;
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    const auto value = parse_hint(equals == std::string::npos ? word : word.substr(equals + 1));
    if (!value || equals == 0)
      return fail(ErrorKind::usage, "\"" + word + "\" is no hint", {},
                  "write --hint s0=5, or --hint 5 for the next input in their order");
    if (equals == std::string::npos)
      hints.append(*value);
    else
      hints.set(word.substr(0, equals), *value);
  }
  return hints;
}

json candidate_json(const Candidate& candidate, const GuardExplanation& told) {
  json clauses = json::array(), failing = json::array();
  for (const GuardClause& c : told.clauses) {
    json used = json::object();
    for (const GuardHint& h : c.hints) used[h.name] = text_or_null(h.value);
    clauses.push_back({{"clause", c.text},
                       {"state", name_of(c.state)},
                       {"error", text_or_null(c.error)},
                       {"hints", std::move(used)}});
  }
  for (const std::size_t i : told.failing) failing.push_back(told.clauses[i].text);
  return {{"candidate", candidate.source},          {"layer", name_of(candidate.layer)},
          {"guard", text_or_null(candidate.guard)}, {"state", name_of(told.state)},
          {"error", text_or_null(told.error)},      {"failing", std::move(failing)},
          {"clauses", std::move(clauses)}};
}

std::string to_text(const Candidate& candidate, const GuardExplanation& told, const Terminal& terminal) {
  const bool holds = told.state == GuardState::holds;
  std::string out = fmt::format("{}  {} {}\n", terminal.paint(name_of(told.state), holds ? Style::good : Style::bad),
                                name_of(candidate.layer), printable(candidate.source));
  if (candidate.guard.empty()) return out + "  no guard: it holds always\n";
  out += "  " + shorten(candidate.guard, terminal.width ? terminal.width - 2 : std::string::npos) + "\n";
  for (const std::size_t i : told.failing) {
    const GuardClause& clause = told.clauses[i];
    std::string used;
    for (const GuardHint& h : clause.hints)
      used += fmt::format("{}{} = {}", used.empty() ? "" : ", ", h.name, h.value.empty() ? "?" : h.value);
    out += fmt::format("  fails: {}{}{}\n", printable(clause.text), used.empty() ? "" : "   with " + printable(used),
                       clause.error.empty() ? "" : ": " + printable(clause.error));
  }
  return out;
}

int guards(const Globals& globals, const GuardsOptions& options) {
  const auto hints = hints_of(options.hints);
  if (!hints) return report(hints.error());
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  auto candidates = candidates_of(*reader, globals.store, options.key);
  if (!candidates) return report(candidates.error());
  std::string key = options.key;
  if (candidates->empty()) {  // a beginning of a key, a lookup's number, a compile id
    const auto lookup = find_lookup(*reader, options.key, {});
    if (!lookup) return report(lookup.error());
    key = lookup->record.key;
    candidates = candidates_of(*reader, globals.store, key);
    if (!candidates) return report(candidates.error());
  }
  json document = json::array();
  std::string text;
  const Terminal terminal = Terminal::of(stdout);
  for (const Candidate& candidate : *candidates) {
    GuardExplanation told;
    if (candidate.guard.empty())
      told.state = GuardState::holds;
    else
      told = explain_guard(candidate.guard, *hints);
    if (globals.json)
      document.push_back(candidate_json(candidate, told));
    else
      text += to_text(candidate, told, terminal);
  }
  if (globals.json) return print(dump(document));
  return print(text.empty()
                   ? "no entry of this key is known, and no lookup of it tells a guard: " + printable(key) + "\n"
                   : text);
}

}  // namespace

void add_guards(Commands& commands) {
  Command command =
      commands.add("guards", "What the guards of a key's entries say to the sizes given, clause by clause",
                   "  keyhole guards fo4ztx7q --hint s0=5 --hint s1=64");
  auto options = std::make_shared<GuardsOptions>();
  command.text("KEY", options->key, "A key, the beginning of one, or what else names a lookup", true);
  command.texts("--hint", options->hints, "The size of a symbol, s0=5; or 5: of the next input in their order");
  commands.on([options](const Globals& globals) { return guards(globals, *options); });
}

}  // namespace keyhole::cli
