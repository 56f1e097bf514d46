// SPDX-License-Identifier: Apache-2.0
#include "checkup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "format.h"
#include "keyhole/base/os.h"
#include "keyhole/explain/loader.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

/// A small model takes some 10 MB of cache; below this a compile of any size fails to be written.
constexpr std::int64_t kLittleRoom = 200'000'000;
/// A recording of a large model takes a few MB.
constexpr std::int64_t kLittleRoomForStore = 50'000'000;
/// Clocks of two machines that keep time differ by less.
constexpr Nanoseconds kClockSlack = 60'000'000'000;
constexpr std::int64_t kTmpfs = 0x01021994, kRamfs = 0x858458f6;  // statfs(2)

struct Switch {
  const char* name;
  const char* value;  ///< that switches off
  const char* what;
};

constexpr Switch kSwitches[] = {
    {"TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1", "every cache of Inductor is off"},
    {"TORCH_COMPILE_FORCE_DISABLE_CACHES", "1", "every cache of torch.compile is off"},
    {"TORCHINDUCTOR_FX_GRAPH_CACHE", "0", "the FX graph cache is off"},
    {"TORCHINDUCTOR_AUTOGRAD_CACHE", "0", "the AOTAutograd cache is off"},
    {"TORCHINDUCTOR_BUNDLE_TRITON_INTO_FX_GRAPH_CACHE", "0", "Triton kernels are not kept with the graphs"},
    {"TRITON_ALWAYS_COMPILE", "1", "Triton compiles every kernel anew"},
    {"CUDA_CACHE_DISABLE", "1", "the CUDA driver's cache of PTX is off"}};

/// The folder, or what is there above it: where it would be made.
std::string existing(std::string folder) {
  FileInfo info;
  while (!folder.empty() && os().stat(folder, info) != 0) {
    const auto slash = folder.rfind('/');
    folder = slash == std::string::npos ? "." : slash == 0 ? "/" : folder.substr(0, slash);
    if (folder == "/" || folder == ".") break;
  }
  return folder;
}

bool is_within(const std::string& path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

/// The newest time of the folder's files, to the depth where Inductor keeps its entries; at most so many are looked at.
Nanoseconds newest(const std::string& folder, int depth, int& budget) {
  std::vector<std::string> names;
  Nanoseconds time = kUnknownTime;
  if (depth < 0 || os().list(folder, names) != 0) return time;
  for (const std::string& name : names) {
    if (--budget < 0) break;
    FileInfo info;
    const std::string path = folder + "/" + name;
    if (os().stat(path, info) != 0) continue;
    time = std::max(time, info.directory ? newest(path, depth - 1, budget) : info.modified);
  }
  return time;
}

/// Of the variables that `record` notes, those that end up in keys or choose what is compiled.
bool enters_keys(const std::string& name) {
  static const std::set<std::string> kApart = {"TORCHINDUCTOR_CACHE_DIR", "TORCH_TRACE",      "TORCH_LOGS",
                                               "TORCH_LOGS_OUT",          "TRITON_CACHE_DIR", "CUDA_VISIBLE_DEVICES"};
  if (kApart.contains(name)) return false;
  for (const char* prefix : {"TORCHINDUCTOR_", "TORCH_", "PYTORCH_", "TRITON_", "AOT_", "NVIDIA_TF32", "INDUCTOR_"})
    if (name.starts_with(prefix)) return true;
  return name == "OMP_NUM_THREADS" || name == "MKL_NUM_THREADS" || name == "CXX" || name == "CC" ||
         name == "PYTHONHASHSEED" || name == "ATEN_CPU_CAPABILITY";
}

std::string value_text(const json& variables, const std::string& name) {
  const auto at = variables.find(name);
  if (at == variables.end()) return "unset";
  return at->is_string() ? at->get<std::string>() : at->dump();
}

/// The version of PyTorch that `python` would import here, by the files that are installed; empty: not found out.
std::string installed_torch(Variables variables) {
  std::string rest = variables("PATH").value_or("");
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const std::string bin = rest.substr(0, colon);
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
    if (os().access(bin + "/python", X_OK) != 0 && os().access(bin + "/python3", X_OK) != 0) continue;
    std::vector<std::string> versions;
    os().list(bin + "/../lib", versions);
    for (const std::string& python : versions) {
      if (!python.starts_with("python3")) continue;
      for (const char* packages : {"/site-packages", "/dist-packages"}) {
        const auto text = read_file(bin + "/../lib/" + python + packages + "/torch/version.py", 65536);
        const auto at = text ? text->find("__version__ = '") : std::string::npos;
        if (at == std::string::npos) continue;
        const auto begin = at + std::string_view("__version__ = '").size();
        return text->substr(begin, text->find('\'', begin) - begin);
      }
    }
    return {};  // this is the Python that would run
  }
  return {};
}

}  // namespace

std::vector<Finding> check_variables(Variables variables) {
  std::vector<Finding> out;
  for (const Switch& s : kSwitches) {
    const auto value = variables(s.name);
    if (!value || *value != s.value) continue;
    out.push_back({true, "cache_off", fmt::format("{}={}", s.name, s.value), s.what, fmt::format("unset {}", s.name)});
  }
  // _inductor/config.py: INDUCTOR_PROVENANCE, else TORCH_COMPILE_DEBUG, is provenance_tracking_level, a part of FX
  // keys.
  for (const char* name : {"INDUCTOR_PROVENANCE", "TORCH_COMPILE_DEBUG"}) {
    const auto value = variables(name);
    if (!value || value->empty()) continue;
    if (*value == "0") break;
    out.push_back({true, "provenance", fmt::format("{}={}", name, *value),
                   "it switches no cache off, but sets provenance_tracking_level, which is part of the keys: what was "
                   "compiled without it is not found",
                   fmt::format("unset {}, or warm up with it too", name)});
    break;
  }
  if (const auto value = variables("TORCH_LOGS_FORMAT"); value && !value->empty())
    out.push_back(
        {false, "log", "TORCH_LOGS_FORMAT=" + *value,
         "a debug log in this format has no process, no time and no compile id: its lookups can be compared, but "
         "not placed in a compile",
         "unset TORCH_LOGS_FORMAT, or record a trace (TORCH_TRACE)"});
  if (const auto value = variables("TORCH_COMPILE_DISABLE"); value && *value == "1")
    out.push_back({false, "cache_off", "TORCH_COMPILE_DISABLE=1", "torch.compile does nothing, so nothing is looked up",
                   "unset TORCH_COMPILE_DISABLE"});
  return out;
}

std::vector<Finding> check_folder(const std::string& folder) {
  std::vector<Finding> out;
  FileInfo info;
  const bool there = os().stat(folder, info) == 0;
  if (there && !info.directory) {
    out.push_back({true, "folder", folder + " is no folder", "nothing can be kept there",
                   "remove it, or set TORCHINDUCTOR_CACHE_DIR to a folder"});
    return out;
  }
  if (!there)
    out.push_back({true, "folder", folder + " is not there", "an empty cache: the next start is a cold one",
                   "run the program once, or set TORCHINDUCTOR_CACHE_DIR to the folder that holds the cache"});
  const std::string base = existing(folder);
  if (os().access(base, W_OK | X_OK) != 0)
    out.push_back({true, "folder", fmt::format("{} cannot be written: {}", base, std::strerror(errno)),
                   "what a miss compiles is not kept, so the next start misses again",
                   "give yourself the right to write there, or set TORCHINDUCTOR_CACHE_DIR"});
  FilesystemInfo filesystem;
  if (os().statfs(base, filesystem) == 0) {
    if (filesystem.read_only)
      out.push_back({true, "folder", base + " is mounted read-only", "what a miss compiles is not kept",
                     "set TORCHINDUCTOR_CACHE_DIR to a folder that can be written"});
    if (filesystem.free_bytes < kLittleRoom)
      out.push_back({true, "folder", fmt::format("{} has {} free", base, size_text(filesystem.free_bytes)),
                     "entries that cannot be written whole are lost without an error",
                     "make room, or set TORCHINDUCTOR_CACHE_DIR to another disk"});
    if (const char* network = network_filesystem(filesystem.magic))
      out.push_back({false, "folder", fmt::format("{} is on a network filesystem ({})", base, network),
                     "loads wait for the network, and locks of several machines are not reliable there",
                     "set TORCHINDUCTOR_CACHE_DIR to a local disk, and share the cache as a mega-cache file"});
    if (filesystem.magic == kTmpfs || filesystem.magic == kRamfs)
      out.push_back({false, "folder", base + " is in memory", "the cache is gone after the next boot",
                     "set TORCHINDUCTOR_CACHE_DIR to a folder on a disk"});
    else if (is_within(folder, "/tmp"))
      out.push_back({false, "folder", folder + " is in /tmp", "many systems clear it at boot or after some days",
                     "set TORCHINDUCTOR_CACHE_DIR to a folder that stays, such as ~/.cache/torchinductor"});
  }
  return out;
}

std::vector<Finding> check_clock(const std::string& folder, const std::vector<RunRow>& runs) {
  const Nanoseconds now = os().now();
  Nanoseconds latest = kUnknownTime;
  for (const RunRow& run : runs) latest = std::max({latest, run.record.start, run.record.end});
  int budget = 20'000;
  const Nanoseconds file = newest(folder, 3, budget);
  const Nanoseconds ahead = std::max(latest, file) - now;
  if (ahead <= kClockSlack) return {};
  return {{false, "clock",
           fmt::format("the clock is {} behind {}", seconds_text(static_cast<double>(ahead) / 1e9),
                       file >= latest ? "the newest file of " + folder : "the newest run of the store"),
           "which run is the baseline of which is told by time; age limits throw out the wrong entries",
           "set the clock; see: timedatectl"}};
}

std::vector<Finding> check_same_as_last_run(const RunRow& last, const std::string& environment_json) {
  const json then = json::parse(last.record.env_json, nullptr, false);
  const json here = json::parse(environment_json, nullptr, false);
  std::vector<Finding> out;
  if (!then.is_object() || !here.is_object()) return out;
  std::set<std::string> names;
  for (const json* side : {&then, &here})
    for (const auto& [name, value] : side->items())
      if (enters_keys(name)) names.insert(name);
  for (const std::string& name : names) {
    const std::string before = value_text(then, name), after = value_text(here, name);
    if (before == after) continue;
    out.push_back({true, "environment", fmt::format("{}: {} in run {}, {} here", name, before, last.record.name, after),
                   "keys are made of it, or it chooses what is compiled",
                   before == "unset" ? "unset " + name : fmt::format("export {}={}", name, shell_word(before))});
  }
  return out;
}

std::vector<Finding> check_versions(Reader& reader, const RunRow& last, Variables variables) {
  std::string before;
  if (const auto processes = reader.processes(last.id))
    for (const ProcessRow& p : *processes) {
      const json versions = json::parse(p.record.versions_json, nullptr, false);
      if (versions.is_object() && versions.contains("torch") && versions["torch"].is_string())
        before = versions["torch"];
    }
  const std::string here = before.empty() ? before : installed_torch(variables);
  if (here.empty() || here == before) return {};
  return {{true, "versions", fmt::format("PyTorch {} in run {}, {} here", before, last.record.name, here),
           "keys hold the version: nothing that the other one compiled is found",
           fmt::format("install torch=={}, or warm up anew", before)}};
}

std::vector<Finding> check_store_folder(const std::string& store) {
  std::vector<Finding> out;
  FileInfo info;
  if (os().stat(store, info) != 0) return out;
  if (!info.directory)
    return {{true, "store", store + " is no folder", "nothing can be recorded there", "set KEYHOLE_STORE to a folder"}};
  if (os().access(store, W_OK | X_OK) != 0)
    out.push_back({false, "store", fmt::format("the store {} cannot be written: {}", store, std::strerror(errno)),
                   "it can be read, and nothing more can be recorded in it",
                   "set KEYHOLE_STORE to a folder that you may write"});
  FilesystemInfo filesystem;
  if (os().statfs(store, filesystem) != 0) return out;
  if (const char* network = network_filesystem(filesystem.magic))
    out.push_back({true, "store", fmt::format("the store {} is on a network filesystem ({})", store, network),
                   "its locks are not reliable there, so it is not written",
                   "set KEYHOLE_STORE to a folder on a local disk"});
  if (filesystem.free_bytes < kLittleRoomForStore)
    out.push_back({false, "store",
                   fmt::format("the disk of the store {} has {} free", store, size_text(filesystem.free_bytes)),
                   "a recording that finds no room ends early; what was committed is kept",
                   "make room, or: keyhole gc --max-size 1GiB"});
  return out;
}

std::vector<Finding> check_unstable(Reader& reader, const RunRow& last) {
  std::vector<Finding> out;
  ComponentPool pool;
  CaseLoader loader(reader, pool);
  const auto told = loader.tell_run(last.id);
  if (!told)
    return {{true, "store", told.error().what, "what the last run missed cannot be told", "keyhole verify --repair"}};
  std::set<std::string> seen;
  for (const Told& t : *told) {
    if (t.explanation.verdict == Verdict::cache_off && seen.insert(name_of(t.lookup.record.layer)).second)
      out.push_back({true, "cache_off",
                     fmt::format("{} was off in run {}", name_of(t.lookup.record.layer), last.record.name),
                     t.explanation.summary,
                     t.explanation.fix.empty() ? fmt::format("see: keyhole why {}", t.lookup.id) : t.explanation.fix});
    for (const Cause& cause : t.explanation.causes) {
      if (cause.role != Role::root || !cause.cause_class.starts_with("instability")) continue;
      if (!seen.insert(cause.component).second) continue;
      out.push_back({true, "unstable",
                     fmt::format("{} changes from run to run ({}): {} → {}", cause.component, cause.cause_class,
                                 shorten(cause.before, 60), shorten(cause.after, 60)),
                     "the key changes with equal inputs, so it never hits",
                     t.explanation.fix.empty() ? fmt::format("see: keyhole why {}", t.lookup.id) : t.explanation.fix});
    }
  }
  const auto processes = reader.processes(last.id);
  std::set<std::string> versions;
  if (processes)
    for (const ProcessRow& p : *processes)
      if (!p.record.versions_json.empty()) versions.insert(p.record.versions_json);
  if (versions.size() > 1)
    out.push_back(
        {true, "versions",
         fmt::format("the processes of run {} have {} sets of versions", last.record.name, versions.size()),
         "keys hold versions: what one process compiles the others do not find",
         fmt::format("give all machines the same packages; see: keyhole show {}", shell_word(last.record.name))});
  return out;
}

}  // namespace keyhole::cli
