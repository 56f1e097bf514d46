// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "jobs.h"
#include "keyhole/base/environment.h"
#include "keyhole/base/os.h"

extern char** environ;

namespace keyhole {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

void end_group(int) {
  ::signal(SIGTERM, SIG_DFL);
  ::kill(0, SIGKILL);
}

std::string how_it_died(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return "the worker " + std::to_string(pid) + " died";
  if (WIFSIGNALED(status))
    return "the worker " + std::to_string(pid) + " died of signal " + std::to_string(WTERMSIG(status)) + " (" +
           ::strsignal(WTERMSIG(status)) + ")";
  return "the worker " + std::to_string(pid) + " ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

void end_with_parent(pid_t parent) {
  ::setpgid(0, 0);
  ::signal(SIGINT, SIG_IGN);  // the parent decides
  ::signal(SIGTERM, end_group);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::raise(SIGTERM);
}

pid_t start_process(const std::string& program, const std::vector<std::string>& arguments, int fd) {
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, fd);  // stays open over exec
  pid_t pid = -1;
  const int code = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return code == 0 ? pid : -1;
}

void work(int fd) {
  for (;;) {
    const Message message = receive_message(fd);
    if (message.kind != MessageKind::job) return;
    std::int64_t limit = 0;
    std::string name, payload, text;
    JobEnd end = JobEnd::failed;
    if (read_job_text(message.payload, limit, name, payload))
      end = run_job(name, payload, text);
    else
      text = "a job that cannot be read";
    if (!send_message(fd, {MessageKind::job, message.id, std::string(1, static_cast<char>(end)) + text})) return;
  }
}

WorkerPool::WorkerPool(int control, PoolOptions options)
    : control_(control),
      options_(std::move(options)),
      tokens_(environment_variable("MAKEFLAGS")),
      quiet_since_(os().monotonic()) {}

WorkerPool::~WorkerPool() {
  for (auto& worker : workers_) kill_worker(worker);
}

void WorkerPool::run() {
  for (;;) {
    std::vector<pollfd> fds{{control_, POLLIN, 0}, {wants_token_ ? tokens_.reader() : -1, POLLIN, 0}};
    for (const auto& worker : workers_) fds.push_back({worker.fd, POLLIN, 0});
    if (::poll(fds.data(), fds.size(), poll_time()) < 0 && errno != EINTR) return;
    for (std::size_t i = 2; i < fds.size(); ++i)
      if (fds[i].revents != 0) take_answer(workers_[i - 2]);
    const std::int64_t now = os().monotonic();
    for (auto& worker : workers_)
      if (worker.job >= 0 && worker.deadline >= 0 && now >= worker.deadline) {
        kill_worker(worker);
        end_job(worker, JobEnd::timed_out, "it took longer than its limit");
      }
    if (fds[0].revents != 0 && !take_requests()) return;
    drop_dead();
    if (now - quiet_since_ > options_.quiet.count() * kMillisecond) drop_idle();
    assign();
  }
}

int WorkerPool::poll_time() const {
  std::int64_t next = -1;
  for (const auto& worker : workers_)
    if (worker.deadline >= 0 && (next < 0 || worker.deadline < next)) next = worker.deadline;
  const bool idle = std::any_of(workers_.begin(), workers_.end(), [](const Worker& w) { return w.job < 0; });
  if (const std::int64_t quiet = quiet_since_ + options_.quiet.count() * kMillisecond;
      idle && (next < 0 || quiet < next))
    next = quiet;
  if (next < 0) return -1;
  return static_cast<int>(std::clamp<std::int64_t>((next - os().monotonic()) / kMillisecond + 1, 0, 3'600'000));
}

bool WorkerPool::take_requests() {
  char buffer[65536];
  const auto n = ::read(control_, buffer, sizeof buffer);
  if (n < 0 && errno == EINTR) return true;
  if (n <= 0) return false;
  requests_.append(buffer, static_cast<std::size_t>(n));
  Message message;
  while (take_message(requests_, message))
    if (!obey(std::move(message))) return false;
  return true;
}

bool WorkerPool::obey(Message&& message) {
  switch (message.kind) {
    case MessageKind::job: {
      Job job{message.id, 0, std::move(message.payload)};
      std::string name, payload;
      if (!read_job_text(job.text, job.limit, name, payload)) return false;
      waiting_.push_back(std::move(job));
      return true;
    }
    case MessageKind::cancel: {
      const auto queued =
          std::find_if(waiting_.begin(), waiting_.end(), [&](const Job& j) { return j.id == message.id; });
      if (queued != waiting_.end()) {
        waiting_.erase(queued);
        answer(message.id, JobEnd::cancelled, "cancelled before it began");
        return true;
      }
      for (auto& worker : workers_)
        if (worker.job == message.id) {
          kill_worker(worker);
          end_job(worker, JobEnd::cancelled, "cancelled");
        }
      return true;
    }
    case MessageKind::quiesce:
      drop_idle();
      return true;
    case MessageKind::wakeup:
      return true;
    case MessageKind::error:
    case MessageKind::shutdown:
      return false;
  }
  return false;
}

void WorkerPool::assign() {
  wants_token_ = false;
  while (!waiting_.empty()) {
    Worker* worker = idle_worker();
    if (worker == nullptr && static_cast<int>(workers_.size()) >= options_.workers) return;
    if (!tokens_.take()) {
      wants_token_ = true;
      return;
    }
    if (worker == nullptr) {
      if (!start_worker()) {
        tokens_.give();
        for (const auto& job : waiting_)
          answer(job.id, JobEnd::crashed, "no worker can be started: " + options_.program);
        return waiting_.clear();
      }
      worker = &workers_.back();
    }
    const Job job = std::move(waiting_.front());
    waiting_.pop_front();
    worker->job = job.id;
    worker->deadline = job.limit > 0 ? os().monotonic() + job.limit * kMillisecond : -1;
    if (!send_message(worker->fd, {MessageKind::job, job.id, job.text})) {
      kill_worker(*worker);
      end_job(*worker, JobEnd::crashed, "the worker was gone");
      drop_dead();
    }
  }
}

WorkerPool::Worker* WorkerPool::idle_worker() {
  const auto found = std::find_if(workers_.begin(), workers_.end(), [](const Worker& w) { return w.job < 0; });
  return found == workers_.end() ? nullptr : &*found;
}

bool WorkerPool::start_worker() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  const pid_t parent = ::getpid();
  pid_t pid = -1;
  if (options_.fresh) {
    pid = start_process(options_.program,
                        {"--keyhole-compile-worker", "work", std::to_string(ends[1]), std::to_string(parent)}, ends[1]);
  } else if (pid = ::fork(); pid == 0) {
    ::close(ends[0]);
    ::close(control_);
    for (const auto& other : workers_) ::close(other.fd);
    for (const int fd : options_.others) ::close(fd);
    end_with_parent(parent);
    work(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    return false;
  }
  ::setpgid(pid, pid);  // it does so itself too: whoever is first
  workers_.push_back({pid, ends[0], -1, -1, {}});
  return true;
}

void WorkerPool::take_answer(Worker& worker) {
  char buffer[65536];
  const auto n = ::read(worker.fd, buffer, sizeof buffer);
  if (n < 0 && errno == EINTR) return;
  if (n <= 0) {
    const std::string death = how_it_died(worker.pid);
    ::kill(-worker.pid, SIGKILL);  // what it had started
    worker.pid = -1;
    if (worker.job >= 0) end_job(worker, JobEnd::crashed, death);
    return;
  }
  worker.bytes.append(buffer, static_cast<std::size_t>(n));
  Message message;
  if (!take_message(worker.bytes, message) || message.payload.empty()) return;
  end_job(worker, static_cast<JobEnd>(message.payload.front()), message.payload.substr(1));
}

void WorkerPool::end_job(Worker& worker, JobEnd end, std::string text) {
  const std::int64_t job = std::exchange(worker.job, -1);
  worker.deadline = -1;
  tokens_.give();
  quiet_since_ = os().monotonic();
  answer(job, end, text);
}

void WorkerPool::answer(std::int64_t id, JobEnd end, const std::string& text) {
  send_message(control_, {MessageKind::job, id, std::string(1, static_cast<char>(end)) + text});
}

void WorkerPool::kill_worker(Worker& worker) {
  if (worker.pid < 0) return;
  ::kill(-worker.pid, SIGKILL);
  ::kill(worker.pid, SIGKILL);
  while (::waitpid(worker.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  worker.pid = -1;
}

void WorkerPool::drop_dead() {
  std::erase_if(workers_, [](const Worker& w) {
    if (w.pid < 0) ::close(w.fd);
    return w.pid < 0;
  });
}

void WorkerPool::drop_idle() {
  for (auto& worker : workers_)
    if (worker.job < 0) kill_worker(worker);
  drop_dead();
  quiet_since_ = os().monotonic();
}

}  // namespace keyhole
