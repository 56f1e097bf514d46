// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "command.h"
#include "environment.h"
#include "format.h"
#include "terminal.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace keyhole::cli {
namespace {

/// The vector instruction sets that Inductor's C++ kernels are compiled for, best first (x86 and Arm names of Linux).
constexpr std::array kVectorFlags = {"amx_tile", "avx512_bf16", "avx512f", "avx2", "sve", "asimd"};

json cpu() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, model, flags;
  while (std::getline(file, line) && (model.empty() || flags.empty())) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    if (line.starts_with("model name")) model = line.substr(colon + 2);
    if (line.starts_with("flags") || line.starts_with("Features")) flags = line.substr(colon + 1) + " ";
  }
  json vector = json::array();
  for (const char* flag : kVectorFlags)
    if (flags.find(fmt::format(" {} ", flag)) != std::string::npos) vector.push_back(flag);
  return {{"model", model}, {"threads", std::thread::hardware_concurrency()}, {"vector", vector}};
}

json gpus() {
  json out = json::array();
  std::error_code error;
  for (const auto& gpu : fs::directory_iterator("/proc/driver/nvidia/gpus", error)) {
    std::ifstream file(gpu.path() / "information");
    std::string line;
    while (std::getline(file, line)) {
      if (!line.starts_with("Model:")) continue;
      const auto begin = line.find_first_not_of(" \t", 6);
      out.push_back(begin == std::string::npos ? std::string() : line.substr(begin));
    }
  }
  return out;
}

json system_info() {
  utsname names{};
  uname(&names);
  std::ifstream release("/etc/os-release");
  std::string line, system = names.sysname;
  while (std::getline(release, line)) {
    if (!line.starts_with("PRETTY_NAME=")) continue;
    system = line.substr(12);
    system.erase(std::remove(system.begin(), system.end(), '"'), system.end());
  }
  return {{"host", names.nodename}, {"system", system}, {"kernel", names.release}, {"machine", names.machine}};
}

int env(const Globals& globals) {
  const GitState git = git_state();
  std::error_code error;
  const std::string cache = inductor_cache_dir();
  const json document = {
      {"keyhole", KEYHOLE_VERSION},
      {"store", {{"path", fs::absolute(globals.store, error).string()}, {"exists", fs::exists(globals.store, error)}}},
      {"cache_folder", {{"path", cache}, {"exists", fs::exists(cache, error)}}},
      {"system", system_info()},
      {"cpu", cpu()},
      {"gpus", gpus()},
      {"git", {{"commit", git.commit.empty() ? json(nullptr) : json(git.commit)}, {"dirty", git.dirty}}},
      {"variables", json::parse(environment_json())},
      {"in_the_way", blind_spots()}};
  if (globals.json) return print(document.dump(2, ' ', false, json::error_handler_t::replace) + "\n");

  std::string out;
  const auto row = [&](std::string_view name, const std::string& value) {
    out += fmt::format("{:<14}{}\n", name, printable(value));
  };
  const auto folder = [](const json& f) {
    return f["path"].get<std::string>() + (f["exists"] ? "" : "  (not there yet)");
  };
  row("keyhole", KEYHOLE_VERSION);
  row("store", folder(document["store"]));
  row("cache folder", folder(document["cache_folder"]));
  row("system",
      fmt::format("{}, Linux {}, {}", document["system"]["system"].get<std::string>(),
                  document["system"]["kernel"].get<std::string>(), document["system"]["machine"].get<std::string>()));
  std::string vector;
  for (const auto& flag : document["cpu"]["vector"]) vector += (vector.empty() ? "" : " ") + flag.get<std::string>();
  row("cpu", fmt::format("{}, {}{}", document["cpu"]["model"].get<std::string>(),
                         count_text(document["cpu"]["threads"], "thread"), vector.empty() ? "" : ", " + vector));
  if (document["gpus"].empty()) row("gpu", "none");
  for (const auto& gpu : document["gpus"]) row("gpu", gpu);
  if (!git.commit.empty()) row("git", git.commit.substr(0, 12) + (git.dirty ? ", with changes" : ""));
  for (const auto& [name, value] : document["variables"].items())
    out += fmt::format("  {}={}\n", name, printable(value.get<std::string>()));
  const Terminal terminal = Terminal::of(stdout);
  for (const auto& sentence : document["in_the_way"])
    out += terminal.paint(fmt::format("in the way: {}", sentence.get<std::string>()), Style::warning) + "\n";
  return print(out);
}

}  // namespace

void add_env(Commands& commands) {
  commands.add("env", "Device and system information, and the variables that matter to caches", "  keyhole env --json");
  commands.on(env);
}

}  // namespace keyhole::cli
