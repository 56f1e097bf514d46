// SPDX-License-Identifier: Apache-2.0
#include "build_run.h"

#include <unistd.h>

#include <array>

#include "keyhole/base/environment.h"
#include "keyhole/base/os.h"
#include "keyhole/compiler/command.h"

namespace keyhole {
namespace {

struct Above {
  std::string name, started;
  std::string parent;
};

/// From /proc/PID/stat: "pid (name) state ppid …", its 22nd field the start in clock ticks since boot. See proc(5).
bool read_process(const std::string& pid, Above& out) {
  const auto stat = read_file("/proc/" + pid + "/stat", 4096);
  if (!stat) return false;
  const auto open = stat->find('('), close = stat->rfind(')');
  if (open == std::string::npos || close == std::string::npos) return false;
  out.name = stat->substr(open + 1, close - open - 1);
  const auto fields = split_words(std::string_view(*stat).substr(close + 1));
  if (fields.size() < 20) return false;
  out.parent = fields[1];
  out.started = fields[19];
  return true;
}

std::vector<std::string> arguments_of(const std::string& pid) {
  std::vector<std::string> argv;
  const auto bytes = read_file("/proc/" + pid + "/cmdline", std::size_t{1} << 20);
  for (std::size_t at = 0; bytes && at < bytes->size();) {
    const std::size_t end = std::min(bytes->find('\0', at), bytes->size());
    argv.push_back(bytes->substr(at, end - at));
    at = end + 1;
  }
  return argv;
}

bool is_between(const Above& process, const std::vector<std::string>& argv) {
  constexpr std::array shells = {"sh", "dash", "bash", "zsh"};
  for (const char* shell : shells)
    if (process.name == shell) return argv.size() > 1 && argv[1].starts_with("-c");
  return process.name == "cmake" || process.name == "ccache" || process.name == "keyhole";
}

}  // namespace

BriefRun build_run() {
  BriefRun run;
  std::string pid = std::to_string(::getppid());
  Above above;
  for (int i = 0; i < 8 && read_process(pid, above); ++i) {
    run.argv = arguments_of(pid);
    run.name = above.name + '-' + pid + '-' + above.started;
    if (!is_between(above, run.argv) || above.parent == "0") break;
    pid = above.parent;
  }
  if (const auto given = environment_variable("KEYHOLE_RUN"); !given.empty()) run.name = given;
  if (run.name.empty()) run.name = "compile-" + std::to_string(::getpid());
  return run;
}

BriefRun own_run() {
  BriefRun run;
  Above self;
  run.argv = arguments_of("self");
  if (read_process("self", self)) run.name = self.name + '-' + std::to_string(::getpid()) + '-' + self.started;
  if (const auto given = environment_variable("KEYHOLE_RUN"); !given.empty()) run.name = given;
  if (run.name.empty()) run.name = "compile-" + std::to_string(::getpid());
  return run;
}

}  // namespace keyhole
