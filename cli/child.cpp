// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

extern char** environ;

namespace keyhole::cli {
namespace {

constexpr int kPassedOn[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

sigset_t held_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kPassedOn) sigaddset(&set, signal);
  sigaddset(&set, SIGCHLD);
  return set;
}

/// The mask that we were started with: what the program gets.
sigset_t& original_mask() {
  static sigset_t mask;
  return mask;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& extra) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [key, value] : extra) replaced |= key == name;
    if (!replaced) out.emplace_back(text);
  }
  for (const auto& [key, value] : extra) out.push_back(key + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

void Child::hold_signals() {
  const sigset_t set = held_signals();
  pthread_sigmask(SIG_BLOCK, &set, &original_mask());
}

Result<void> Child::find(const std::string& program) {
  std::vector<std::string> places;
  if (program.find('/') != std::string::npos) {
    places.push_back(program);
  } else {
    const char* path = std::getenv("PATH");
    std::string_view rest = path ? path : "/usr/bin:/bin";
    for (;;) {
      const std::size_t colon = rest.find(':');
      const std::string_view folder = rest.substr(0, colon);
      places.push_back((folder.empty() ? "." : std::string(folder)) + "/" + program);
      if (colon == std::string_view::npos) break;
      rest.remove_prefix(colon + 1);
    }
  }
  std::string seen;
  for (const std::string& place : places) {
    struct stat status {};
    if (stat(place.c_str(), &status) != 0) continue;
    if (S_ISREG(status.st_mode) && access(place.c_str(), X_OK) == 0) return {};
    seen = place;
  }
  if (!seen.empty()) return fail(ErrorKind::io, "it is no program that may be executed", seen);
  return fail(ErrorKind::not_found, "there is no program " + program, {}, "check the spelling and PATH");
}

Result<Child> Child::start(const std::vector<std::string>& argv,
                           const std::vector<std::pair<std::string, std::string>>& extra) {
  std::vector<std::string> words = argv, environment = environment_with(extra);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &original_mask());
  pid_t pid = -1;
  const int error =
      posix_spawnp(&pid, words[0].c_str(), nullptr, &attributes, pointers(words).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return Child(pid);
  if (error == ENOENT)
    return fail(ErrorKind::not_found, "there is no program " + words[0], {}, "check the spelling and PATH");
  return fail(ErrorKind::io, std::string("the program could not be started: ") + std::strerror(error), words[0]);
}

std::optional<Child::Ended> Child::wait(std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point until = Clock::now() + patience;
  const sigset_t set = held_signals();
  for (;;) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      if (WIFSIGNALED(status)) return Ended{128 + WTERMSIG(status), WTERMSIG(status)};
      return Ended{WEXITSTATUS(status), 0};
    }
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - Clock::now());
    if (left.count() <= 0) return std::nullopt;
    const timespec span{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    siginfo_t info{};
    const int signal = sigtimedwait(&set, &info, &span);
    // SI_KERNEL: the terminal sent it (Ctrl-C), and to the whole foreground group: the program has it already.
    if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL) kill(pid_, signal);
  }
}

}  // namespace keyhole::cli
