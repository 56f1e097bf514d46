// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
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

class Pipe {
 public:
  Pipe() { opened_ = ::pipe2(ends_, O_CLOEXEC) == 0; }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_writer();
    if (opened_) ::close(ends_[0]);
  }
  void close_writer() {
    if (opened_ && ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  [[nodiscard]] bool opened() const { return opened_; }
  [[nodiscard]] int reader() const { return ends_[0]; }
  [[nodiscard]] int writer() const { return ends_[1]; }

 private:
  int ends_[2] = {-1, -1};
  bool opened_ = false;
};

constexpr int kEnding[] = {SIGHUP, SIGINT, SIGTERM};
// Both are free of locks, as a signal's handler needs.
std::atomic<bool> g_forwarding{false};
std::atomic<int> g_received{0};
std::atomic<int> g_child{0};
struct sigaction g_before[std::size(kEnding)];

/// A program that a signal ended may leave others that hold its pipes.
bool ended_by_signal(pid_t pid) {
  siginfo_t info{};
  return g_received != 0 && ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

void drain(pid_t pid, const Pipe& out, std::string& out_text, const Pipe& err, std::string& err_text) {
  pollfd fds[2] = {{out.reader(), POLLIN, 0}, {err.reader(), POLLIN, 0}};
  std::string* const texts[2] = {&out_text, &err_text};
  char buffer[65536];
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const int ready = ::poll(fds, 2, 500);
    if (ready < 0 && errno != EINTR) return;
    if (ready <= 0) {
      if (ended_by_signal(pid)) return;
      continue;
    }
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      const ssize_t n = ::read(fds[i].fd, buffer, sizeof buffer);
      if (n > 0)
        texts[i]->append(buffer, static_cast<std::size_t>(n));
      else if (n == 0 || errno != EINTR)
        fds[i].fd = -1;
    }
  }
}

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
  Pipe out, err;
  if (!out.opened() || !err.opened()) return tl::unexpected(os_error(errno, "make a pipe", program));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.writer(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, (options.merged ? out : err).writer(), STDERR_FILENO);
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
  out.close_writer();
  err.close_writer();
  Finished finished;
  drain(pid, out, finished.out, err, finished.err);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return tl::unexpected(os_error(errno, "wait for the program", program));
  g_child = 0;
  finished.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + finished.signal;
  return finished;
}

Error become_program(const std::string& program, const std::vector<std::string>& argv) {
  ::execv(program.c_str(), pointers(argv).data());
  return os_error(errno, "run the program", program);
}

}  // namespace keyhole
