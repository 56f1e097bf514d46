// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "environment.h"
#include "forecast.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/db/reader.h"
#include "store_access.h"
#include "why_text.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct PredictOptions {
  std::string run, cache_dir;
  std::vector<std::string> set;
};

const char* name_of(Chance chance) {
  return chance == Chance::hit ? "hit" : chance == Chance::miss ? "miss" : "unknown";
}

/// Misses of one reason.
struct Group {
  double seconds = 0;
  std::size_t count = 0;
  std::string advice;
};

std::string advice_of(const Forecast& f, const Expected& e) {
  if (e.shift == 0)
    return e.lookup.record.key == e.key ? "restore the cache folder, or let one run warm it up" : "unset it";
  const Shift& s = f.shifts[e.shift - 1];
  if (s.variable.empty()) return "run with PyTorch " + s.before + ", or warm up with this version";
  if (s.was_set_to.empty()) return "unset " + s.variable + ", or warm up with this value";
  return fmt::format("export {}={}, or warm up with this value", s.variable, shell_word(s.was_set_to));
}

std::string text_of(const std::string& title, const Forecast& f, const Terminal& terminal) {
  if (f.lookups.empty())
    return printable(title) +
           ": nothing was looked up there, so nothing can be predicted; name another run with --run\n";
  std::string out = fmt::format("{}: of {}, {} would hit, {} would miss", printable(title),
                                count_text(static_cast<std::int64_t>(f.lookups.size()), "lookup"), f.count(Chance::hit),
                                f.count(Chance::miss));
  if (const auto n = f.count(Chance::unknown); n > 0) out += fmt::format(", {} cannot be told", n);
  if (f.seconds_lost() > 0) out += ", " + seconds_text(f.seconds_lost()) + " lost";
  out += '\n';
  std::vector<std::pair<std::string, Group>> groups;
  for (const Expected& e : f.lookups) {
    if (e.chance != Chance::miss) continue;
    // AOTAutograd's miss goes under the cause of the graphs within.
    std::string reason = e.reason;
    if (e.shift != 0 && e.key.empty() && e.lookup.component_set == 0)
      for (const Expected& other : f.lookups)
        if (other.shift == e.shift && other.lookup.component_set != 0) reason = other.reason;
    auto at = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == reason; });
    if (at == groups.end()) at = groups.insert(groups.end(), {reason, {0, 0, advice_of(f, e)}});
    at->second.seconds += e.seconds;
    ++at->second.count;
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  for (const auto& [reason, group] : groups) {
    out += fmt::format("  {}  {}  {}\n", terminal.paint(fmt::format("{:>7}", seconds_text(group.seconds)), Style::bold),
                       shorten(reason, 160), count_text(static_cast<std::int64_t>(group.count), "miss", "misses"));
    out += "           " + shorten(group.advice, 160) + '\n';
  }
  return out;
}

json json_of(const std::string& run, const Forecast& f, const Surroundings& then, const Surroundings& now) {
  json shifts = json::array(), lookups = json::array();
  for (const Shift& s : f.shifts)
    shifts.push_back({{"component", s.component},
                      {"variable", text_or_null(s.variable)},
                      {"before", text_or_null(s.before)},
                      {"after", text_or_null(s.after)}});
  for (const Expected& e : f.lookups)
    lookups.push_back({{"lookup", e.lookup.id},
                       {"layer", keyhole::name_of(e.lookup.record.layer)},
                       {"compile_id", text_or_null(e.lookup.record.compile.text())},
                       {"recorded_key", e.lookup.record.key},
                       {"key", text_or_null(e.key)},
                       {"expected", name_of(e.chance)},
                       {"reason", e.reason},
                       {"seconds", e.seconds}});
  return {{"run", run},
          {"torch", {{"before", text_or_null(then.torch)}, {"after", text_or_null(now.torch)}}},
          {"cache_dir", text_or_null(now.cache_dir)},
          {"would_hit", f.count(Chance::hit)},
          {"would_miss", f.count(Chance::miss)},
          {"unknown", f.count(Chance::unknown)},
          {"seconds_lost", f.seconds_lost()},
          {"differences", std::move(shifts)},
          {"lookups", std::move(lookups)}};
}

int predict(const Globals& globals, const PredictOptions& options) {
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  const auto run = find_run(*reader, options.run);
  if (!run) return report(run.error());
  const auto processes = reader->processes(run->id);
  if (!processes) return report(processes.error());
  const auto then = surroundings_of(*run, *processes);
  Surroundings now =
      surroundings_here(environment_json(), options.cache_dir.empty() ? inductor_cache_dir() : options.cache_dir);
  for (const std::string& word : options.set) {
    const auto equals = word.find('=');
    if (equals == 0 || equals == std::string::npos)
      return report(
          {ErrorKind::usage, "--set needs NAME=VALUE", word, "keyhole predict --set TORCHINDUCTOR_MAX_AUTOTUNE=1"});
    now.variables[word.substr(0, equals)] = word.substr(equals + 1);
  }
  Surroundings before = now;
  if (then) {
    before = *then;
  } else {
    // Imported: of its variables nothing is known but what --set changes.
    for (const std::string& word : options.set) before.variables.erase(word.substr(0, word.find('=')));
    for (const ProcessRow& p : *processes)
      if (const json v = json::parse(p.record.versions_json, nullptr, false);
          v.is_object() && v.contains("torch") && v["torch"].is_string())
        before.torch = v["torch"].get<std::string>();
    fmt::print(stderr,
               "keyhole: the environment of run {} was not recorded: only PyTorch's version, the cache folder and "
               "--set count\n",
               printable(run->record.name));
  }
  const auto told = forecast(*reader, *run, before, now, [&](Layer layer, const std::string& key) {
    return folder_holds(now.cache_dir, layer, key);
  });
  if (!told) return report(told.error());
  if (globals.json) return print(dump(json_of(run->record.name, *told, before, now)));
  return print(text_of(run_title(*run, cli::now()), *told, Terminal::of(stdout)));
}

}  // namespace

void add_predict(Commands& commands) {
  Command command =
      commands.add("predict", "Before a run: which keys of a recorded one would be looked up in vain here, and why",
                   "  keyhole predict                                       # the last run, started again now\n"
                   "  keyhole predict --set TORCHINDUCTOR_MAX_AUTOTUNE=1    # with this variable");
  auto options = std::make_shared<PredictOptions>();
  command.text("--run", options->run, "This run; else the last");
  command.texts("--set", options->set, "NAME=VALUE: a variable that will be set");
  command.text("--cache-dir", options->cache_dir,
               "The cache folder that will be used; else TORCHINDUCTOR_CACHE_DIR or PyTorch's default");
  commands.on([options](const Globals& globals) { return predict(globals, *options); });
}

}  // namespace keyhole::cli
