// SPDX-License-Identifier: Apache-2.0
#include "forecast.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "keyhole/base/os.h"
#include "keyhole/db/reader.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

constexpr std::size_t kKnownVariants = 32;  // of a graph, among which the key of another configuration is looked for

std::optional<std::string> value(const Surroundings& s, const char* name) {
  const auto at = s.variables.find(name);
  return at == s.variables.end() ? std::nullopt : std::optional(at->second);
}

std::string without_build(const std::string& version) {
  return version.substr(0, version.find('+'));
}

const Component* find(const std::vector<ComponentPtr>& set, const std::string& name) {
  for (const ComponentPtr c : set)
    if (c->name == name) return c;
  return nullptr;
}

/// What variables make of the configuration in both surroundings, where that differs.
std::vector<Shift> shifts_between(const Surroundings& then, const Surroundings& now) {
  std::vector<Shift> out;
  for (const ConfigVariable& v : config_variables()) {
    const auto text = [&](const Surroundings& s) {
      const std::string set = value(s, v.variable).value_or(v.when_unset);
      return v.flag ? std::string(set == "1" ? "True" : "False") : set;
    };
    if (text(then) != text(now))
      out.push_back({std::string("inductor_config[") + v.member + "]", v.variable, text(then), text(now),
                     value(then, v.variable).value_or("")});
  }
  const auto plain = [&](const char* variable, const char* component) {
    const std::string before = value(then, variable).value_or(""), after = value(now, variable).value_or("");
    if (before != after) out.push_back({component, variable, before, after, before});
  };
  plain("TORCH_COMPILE_CACHE_KEY_TAG", "cache_key_tag");
  plain("OMP_NUM_THREADS", "cpp_runtime_thread_count");
  if (!then.torch.empty() && !now.torch.empty() && without_build(then.torch) != without_build(now.torch))
    out.push_back({"torch_version", {}, then.torch, now.torch, {}});
  return out;
}

/// Whether a key changes with it. A value that the program set itself does not follow the variable.
bool applies(const Shift& shift, const std::vector<ComponentPtr>& components) {
  const Component* c = find(components, shift.component);
  if (c == nullptr) return false;
  if (shift.component == "torch_version" || shift.before.empty()) return c->text != shift.after;
  return c->text == shift.before;
}

/// The switch that keeps a layer from being asked at all; empty: none.
std::string switched_off(const Surroundings& now, Layer layer) {
  for (const char* all : {"TORCHINDUCTOR_FORCE_DISABLE_CACHES", "TORCH_COMPILE_FORCE_DISABLE_CACHES"})
    if (value(now, all) == "1") return all;
  if (layer == Layer::aot_autograd && value(now, "TORCHINDUCTOR_AUTOGRAD_CACHE") == "0")
    return "TORCHINDUCTOR_AUTOGRAD_CACHE";
  // AOTAutograd keeps nothing without the graphs within.
  return value(now, "TORCHINDUCTOR_FX_GRAPH_CACHE") == "0" ? "TORCHINDUCTOR_FX_GRAPH_CACHE" : "";
}

/// The key of a known lookup of the same graph that differs from this one in nothing but these components.
std::string known_key(Reader& reader, const LookupRow& lookup, const std::vector<const Shift*>& shifts,
                      ComponentPool& pool) {
  const auto candidates = reader.baseline_candidates(lookup, kKnownVariants);
  if (!candidates) return {};
  for (const LookupRow& c : *candidates) {
    if (c.record.layer != lookup.record.layer || c.component_set == 0) continue;
    const auto changes = reader.difference(lookup.component_set, c.component_set, pool);
    if (!changes || changes->size() != shifts.size()) continue;
    const bool all = std::all_of(changes->begin(), changes->end(), [&](const ComponentChange& change) {
      return std::any_of(shifts.begin(), shifts.end(), [&](const Shift* s) {
        return change.after != nullptr && change.after->name == s->component && change.after->text == s->after;
      });
    });
    if (all) return c.record.key;
  }
  return {};
}

}  // namespace

std::size_t Forecast::count(Chance chance) const {
  return static_cast<std::size_t>(
      std::count_if(lookups.begin(), lookups.end(), [&](const Expected& e) { return e.chance == chance; }));
}

double Forecast::seconds_lost() const {
  double sum = 0;
  for (const Expected& e : lookups)
    if (e.chance == Chance::miss) sum += e.seconds;
  return sum;
}

std::optional<Surroundings> surroundings_of(const RunRow& run, const std::vector<ProcessRow>& processes) {
  Surroundings out;
  for (const ProcessRow& p : processes) {
    const json versions = json::parse(p.record.versions_json, nullptr, false);
    if (out.torch.empty() && versions.is_object()) {
      const auto at = versions.find("torch");
      if (at != versions.end() && at->is_string()) out.torch = at->get<std::string>();
    }
    if (out.cache_dir.empty()) out.cache_dir = p.record.cache_dir;
  }
  const json environment = json::parse(run.record.env_json, nullptr, false);
  if (!environment.is_object()) return std::nullopt;
  for (const auto& [name, text] : environment.items())
    if (text.is_string()) out.variables.emplace(name, text.get<std::string>());
  return out;
}

std::string torch_version_under(const std::string& prefix) {
  std::vector<std::string> names;
  const std::string lib = prefix + "/lib";
  if (os().list(lib, names) != 0) return {};
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (!name.starts_with("python")) continue;
    for (const char* packages : {"/site-packages", "/dist-packages"}) {
      const auto text = read_file(lib + '/' + name + packages + "/torch/version.py", 4096);
      const auto at = text ? text->find("__version__ = '") : std::string::npos;
      if (at == std::string::npos) continue;
      const auto begin = at + 15, end = text->find('\'', begin);
      if (end != std::string::npos) return text->substr(begin, end - begin);
    }
  }
  return {};
}

Surroundings surroundings_here(const std::string& environment_json, const std::string& cache_dir) {
  Surroundings out;
  out.cache_dir = cache_dir;
  const json environment = json::parse(environment_json, nullptr, false);
  if (environment.is_object())
    for (const auto& [name, text] : environment.items())
      if (text.is_string()) out.variables.emplace(name, text.get<std::string>());
  std::vector<std::string> prefixes;
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const auto at = out.variables.find(name); at != out.variables.end()) prefixes.push_back(at->second);
  if (const char* path = std::getenv("PATH")) {
    const std::string folders = path;
    for (std::size_t at = 0; at < folders.size();) {
      const std::size_t end = std::min(folders.find(':', at), folders.size());
      const std::string folder = folders.substr(at, end - at);
      if (folder.ends_with("/bin") && os().access(folder + "/python3", 1) == 0) {
        prefixes.push_back(folder.substr(0, folder.size() - 4));
        break;
      }
      at = end + 1;
    }
  }
  for (const std::string& prefix : prefixes) {
    out.torch = torch_version_under(prefix);
    if (!out.torch.empty()) break;
  }
  return out;
}

bool folder_holds(const std::string& folder, Layer layer, const std::string& key) {
  if (key.size() < 3) return false;
  const std::string path = layer == Layer::aot_autograd ? folder + "/aotautograd/" + key
                                                        : folder + "/fxgraph/" + key.substr(1, 2) + '/' + key;
  std::vector<std::string> names;
  return os().list(path, names) == 0 &&
         std::any_of(names.begin(), names.end(), [](const std::string& n) { return !n.starts_with('.'); });
}

Result<Forecast> forecast(Reader& reader, const RunRow& run, const Surroundings& then, const Surroundings& now,
                          const Holds& holds) {
  Forecast out;
  out.shifts = shifts_between(then, now);
  auto rows = reader.lookups_of_run(run.id);
  if (!rows) return tl::make_unexpected(rows.error());
  ComponentPool pool;
  std::map<std::pair<RowId, CompileId>, std::size_t> changed;  // of a compile: the shift that its graphs miss by
  std::set<std::tuple<RowId, Layer, std::string>> seen;        // a key asked for twice in one process counts once
  const auto compile_of = [](const LookupRow& row) { return std::pair{row.process, row.record.compile}; };

  for (const bool outer :
       {false, true}) {  // AOTAutograd's components are seldom recorded: it follows the graphs within
    for (LookupRow& row : *rows) {
      const LookupRecord& r = row.record;
      if ((r.layer == Layer::aot_autograd) != outer || (r.layer != Layer::aot_autograd && r.layer != Layer::fx_graph))
        continue;
      if (r.key.empty() || !seen.emplace(row.process, r.layer, r.key).second) continue;
      Expected e;
      e.key = r.key;
      const Nanoseconds span = r.outcome == Outcome::hit ? r.saved : r.cost;
      const bool counted = outer && std::any_of(rows->begin(), rows->end(), [&](const LookupRow& other) {
                             return other.record.layer == Layer::fx_graph && compile_of(other) == compile_of(row);
                           });
      if (span > 0 && !counted) e.seconds = static_cast<double>(span) * 1e-9;

      std::vector<const Shift*> shifts;
      if (row.component_set != 0) {
        const auto components = reader.components(row.component_set, pool);
        if (!components) return tl::make_unexpected(components.error());
        for (const Shift& s : out.shifts)
          if (applies(s, *components)) shifts.push_back(&s);
      }
      const auto inner = changed.find(compile_of(row));
      if (const std::string variable = switched_off(now, r.layer); !variable.empty()) {
        e.chance = Chance::miss;
        e.reason = variable + " switches the cache off";
        e.key.clear();
      } else if (!shifts.empty()) {
        e.shift = static_cast<std::size_t>(shifts.front() - out.shifts.data()) + 1;
        for (const Shift* s : shifts)
          e.reason += (e.reason.empty() ? "" : "; ") + s->component + ' ' +
                      (s->before.empty() ? "(unset)" : s->before) + " → " + (s->after.empty() ? "(unset)" : s->after);
        e.key = known_key(reader, row, shifts, pool);
        e.chance = !e.key.empty() && holds(r.layer, e.key) ? Chance::hit : Chance::miss;
        if (e.chance == Chance::hit)
          e.reason += ", which an earlier run compiled";
        else
          changed.emplace(compile_of(row), e.shift);
      } else if (row.component_set == 0 && inner != changed.end()) {
        e.chance = Chance::miss;
        e.shift = inner->second;
        e.reason = "a graph within has another key";
        e.key.clear();
      } else if (row.component_set == 0 && !out.shifts.empty() && !outer) {
        e.reason = "its components were not recorded";
      } else if (holds(r.layer, r.key)) {
        e.chance = Chance::hit;
        e.reason = "the cache folder holds it";
      } else {
        e.chance = Chance::miss;
        e.reason = "the cache folder does not hold it";
      }
      e.lookup = std::move(row);
      out.lookups.push_back(std::move(e));
    }
  }
  std::stable_sort(out.lookups.begin(), out.lookups.end(),
                   [](const Expected& a, const Expected& b) { return a.lookup.id < b.lookup.id; });
  return out;
}

}  // namespace keyhole::cli
