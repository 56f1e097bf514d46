// SPDX-License-Identifier: Apache-2.0
#include "environment.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

extern char** environ;

namespace keyhole::cli {
namespace {

constexpr std::array kPrefixes = {"TORCH", "PYTORCH", "TRITON", "AOT_",  "CUDA",     "NVCC_", "NCCL_",
                                  "OMP_",  "MKL_",    "KMP_",   "GOMP_", "ATEN_",    "HIP_",  "ROCM_",
                                  "HSA_",  "SLURM_",  "XPU_",   "SYCL_", "INDUCTOR_"};
constexpr std::array kNames = {"CC",
                               "CXX",
                               "CFLAGS",
                               "CXXFLAGS",
                               "LDFLAGS",
                               "CPATH",
                               "LD_PRELOAD",
                               "LD_LIBRARY_PATH",
                               "PYTHONHASHSEED",
                               "PYTHONPATH",
                               "TMPDIR",
                               "RANK",
                               "LOCAL_RANK",
                               "WORLD_SIZE",
                               "LOCAL_WORLD_SIZE",
                               "GROUP_RANK",
                               "VIRTUAL_ENV",
                               "CONDA_PREFIX",
                               "KEYHOLE_STORE",
                               "KEYHOLE_REMOTE",
                               "NVIDIA_TF32_OVERRIDE"};
constexpr std::array kSecret = {"TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY"};

bool matters(std::string_view name) {
  for (const char* word : kSecret)
    if (name.find(word) != std::string_view::npos) return false;
  for (const char* prefix : kPrefixes)
    if (name.starts_with(prefix)) return true;
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// "redis://user:secret@host/0" -> "redis://…@host/0".
std::string without_password(std::string_view value) {
  const auto scheme = value.find("://");
  if (scheme == std::string_view::npos) return std::string(value);
  const auto end = value.find_first_of("/?# ", scheme + 3);
  const auto at = value.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < scheme) return std::string(value);
  return std::string(value.substr(0, scheme + 3)) + "…" + std::string(value.substr(at));
}

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

bool is(const char* name, std::string_view value) {
  const char* found = variable(name);
  return found && found == value;
}

/// What getpass.getuser() of Python says, which PyTorch names its folder by.
std::string user_name() {
  for (const char* name : {"LOGNAME", "USER", "LNAME", "USERNAME"})
    if (const char* value = variable(name)) return value;
  const passwd* entry = getpwuid(getuid());
  return entry ? entry->pw_name : "uid_" + std::to_string(getuid());
}

/// What tempfile.gettempdir() of Python says.
std::string temporary_folder() {
  std::vector<std::string> folders;
  for (const char* name : {"TMPDIR", "TEMP", "TMP"})
    if (const char* value = variable(name)) folders.emplace_back(value);
  folders.insert(folders.end(), {"/tmp", "/var/tmp", "/usr/tmp"});
  for (const std::string& folder : folders)
    if (access(folder.c_str(), W_OK | X_OK) == 0) return folder;
  return ".";
}

/// The first line that a command prints; empty where it fails.
std::string first_line_of(const char* command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command, "re"), pclose);
  char line[256] = "";
  if (!pipe || !std::fgets(line, sizeof line, pipe.get())) return {};
  std::string text = line;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

}  // namespace

std::string environment_json() {
  nlohmann::json out = nlohmann::json::object();
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || !matters(text.substr(0, equals))) continue;
    out[std::string(text.substr(0, equals))] = without_password(text.substr(equals + 1));
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string inductor_cache_dir() {
  if (const char* set = variable("TORCHINDUCTOR_CACHE_DIR"))
    return std::filesystem::absolute(set).lexically_normal().string();
  std::string user = user_name();
  for (char& c : user)  // as cache_dir_utils.py of PyTorch makes a file name of it
    if (std::string_view("\\/:*?\"<>|").find(c) != std::string_view::npos) c = '_';
  return temporary_folder() + "/torchinductor_" + user;
}

GitState git_state() {
  GitState state;
  state.commit = first_line_of("git rev-parse --verify HEAD 2>/dev/null");
  if (!state.commit.empty())
    state.dirty = !first_line_of("git --no-optional-locks status --porcelain --untracked-files=no 2>/dev/null").empty();
  return state;
}

std::vector<std::string> blind_spots() {
  std::vector<std::string> out;
  for (const char* name : {"TORCHINDUCTOR_FORCE_DISABLE_CACHES", "TORCH_COMPILE_FORCE_DISABLE_CACHES"})
    if (is(name, "1")) out.push_back(std::string(name) + "=1: every cache is off, so there are no lookups to record");
  if (is("TORCHINDUCTOR_FX_GRAPH_CACHE", "0"))
    out.emplace_back("TORCHINDUCTOR_FX_GRAPH_CACHE=0: the FX graph cache is off");
  if (is("TORCHINDUCTOR_AUTOGRAD_CACHE", "0"))
    out.emplace_back("TORCHINDUCTOR_AUTOGRAD_CACHE=0: the AOTAutograd cache is off");
  for (const char* name : {"TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE"})
    if (is(name, "1")) out.push_back(std::string(name) + "=1: torch.compile does nothing");
  return out;
}

std::string default_store() {
  if (const char* set = variable("KEYHOLE_STORE")) return set;
  if (const char* data = variable("XDG_DATA_HOME")) return std::string(data) + "/keyhole";
  if (const char* home = variable("HOME")) return std::string(home) + "/.local/share/keyhole";
  const passwd* entry = getpwuid(getuid());
  return std::string(entry ? entry->pw_dir : ".") + "/.local/share/keyhole";
}

Nanoseconds now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace keyhole::cli
