// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "keyhole/base/os.h"

extern char** environ;

namespace keyhole {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

std::string_view name_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

std::vector<std::string> changed_environment(const std::vector<std::string>& changes) {
  std::vector<std::string> all;
  for (char** v = environ; *v != nullptr; ++v) {
    bool replaced = false;
    for (const auto& change : changes) replaced = replaced || name_of(change) == name_of(*v);
    if (!replaced) all.emplace_back(*v);
  }
  for (const auto& change : changes)
    if (change.find('=') != std::string::npos) all.push_back(change);
  return all;
}

/// What a program writes to one of its descriptors. A file in memory: through a pipe, each of the hundreds of lines
/// that -H writes one by one would wake this process.
class Caught {
 public:
  Caught() : fd_(::memfd_create("keyhole", MFD_CLOEXEC)) {}
  Caught(const Caught&) = delete;
  Caught& operator=(const Caught&) = delete;
  ~Caught() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::string text() const {
    struct stat s {};
    if (::fstat(fd_, &s) != 0) return {};
    std::string text(static_cast<std::size_t>(s.st_size), '\0');
    std::size_t have = 0;
    while (have < text.size()) {
      const ssize_t n = ::pread(fd_, text.data() + have, text.size() - have, static_cast<off_t>(have));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
    }
    text.resize(have);
    return text;
  }

 private:
  int fd_;
};

constexpr int kEnding[] = {SIGHUP, SIGINT, SIGTERM};
// Both are free of locks, as a signal's handler needs.
std::atomic<bool> g_forwarding{false};
std::atomic<int> g_received{0};
std::atomic<int> g_child{0};
struct sigaction g_before[std::size(kEnding)];

void forward(int signal) {
  int none = 0;
  g_received.compare_exchange_strong(none, signal);
  if (const int child = g_child; child > 0) ::kill(-child, signal);  // the programs that it runs too
}

}  // namespace

ForwardSignals::ForwardSignals() {
  struct sigaction action {};
  action.sa_handler = forward;
  sigemptyset(&action.sa_mask);
  g_received = 0;
  g_forwarding = true;
  for (std::size_t i = 0; i < std::size(kEnding); ++i) {
    ::sigaction(kEnding[i], nullptr, &g_before[i]);
    if (g_before[i].sa_handler != SIG_IGN) ::sigaction(kEnding[i], &action, nullptr);  // nohup stays
  }
}

ForwardSignals::~ForwardSignals() {
  g_forwarding = false;
  for (std::size_t i = 0; i < std::size(kEnding); ++i) ::sigaction(kEnding[i], &g_before[i], nullptr);
}

int ForwardSignals::received() {
  return g_received;
}

Result<Finished> run_program(const std::string& program, const std::vector<std::string>& argv,
                             const RunOptions& options) {
  const Caught out, err;
  if (out.fd() < 0 || err.fd() < 0) return tl::unexpected(os_error(errno, "make a file in memory", program));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.fd(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, (options.merged ? out : err).fd(), STDERR_FILENO);
  if (!options.folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
  const auto changed = changed_environment(options.environment);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  if (g_forwarding)
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // a group of its own: signals come from us
  pid_t pid = -1;
  const int code = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, pointers(argv).data(),
                                 options.environment.empty() ? environ : pointers(changed).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return tl::unexpected(os_error(code, "run the program", program));
  g_child = pid;
  if (const int signal = g_received; signal != 0) ::kill(-pid, signal);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return tl::unexpected(os_error(errno, "wait for the program", program));
  g_child = 0;
  Finished finished{.status = 0, .signal = 0, .out = out.text(), .err = err.text()};
  finished.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + finished.signal;
  return finished;
}

Error become_program(const std::string& program, const std::vector<std::string>& argv) {
  ::execv(program.c_str(), pointers(argv).data());
  return os_error(errno, "run the program", program);
}

}  // namespace keyhole
