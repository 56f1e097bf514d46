// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/async_compile.h"

#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <semaphore>
#include <thread>

#include "jobs.h"
#include "keyhole/base/environment.h"
#include "keyhole/cache/counters.h"
#include "keyhole/key/hash.h"
#include "wire.h"
#include "worker_pool.h"

namespace keyhole {
namespace {

using Kind = JobFailure::Kind;
using Clock = std::chrono::steady_clock;

constexpr int kMostThreads = 32;
constexpr const char* kWorkerFlag = "--keyhole-compile-worker";
std::atomic<bool> g_can_be_worker{false};

bool read_int(std::string_view text, int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

struct JobFuture::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<JobResult> result;
  std::string name;
  std::function<void()> cancel;

  void set(JobResult value) {
    const std::lock_guard lock(mutex);
    if (result) return;
    if (!value) value.error().name = name;
    result = std::move(value);
    changed.notify_all();
  }
};

std::string JobFailure::text() const {
  return "An exception occurred in a subprocess:\n\nName=" + name + "\n" + details;
}

bool JobFuture::done() const {
  const std::lock_guard lock(state_->mutex);
  return state_->result.has_value();
}

JobResult JobFuture::result(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(state_->mutex);
  const auto there = [&] { return state_->result.has_value(); };
  if (timeout == std::chrono::milliseconds::max())
    state_->changed.wait(lock, there);
  else if (!state_->changed.wait_for(lock, timeout, there))
    return tl::unexpected(JobFailure{Kind::timed_out, "not done in time", state_->name});
  return *state_->result;
}

void JobFuture::cancel() const {
  std::function<void()> cancel;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->result) return;
    cancel = state_->cancel;
  }
  if (cancel) cancel();
}

/// The end of the socket that jobs go into, and who is at the other.
struct AsyncCompile::Pool : std::enable_shared_from_this<Pool> {
  using States = std::map<std::int64_t, std::shared_ptr<JobFuture::State>>;

  Pool(const AsyncOptions& options, int threads) : owner(::getpid()) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
    fd = ends[0];
    const std::string program = options.worker.empty() ? "/proc/self/exe" : options.worker;
    if (options.start != StartMethod::fork && options.worker.empty() && !g_can_be_worker) {
      problem = "this program cannot become a worker: it does not call compile_worker(), and no other is named";
    } else if (options.start == StartMethod::subprocess) {
      beside = start_process(program,
                             {kWorkerFlag, "pool", std::to_string(ends[1]), std::to_string(owner),
                              std::to_string(threads), std::to_string(options.quiet.count())},
                             ends[1]);
      if (beside < 0) problem = "no worker can be started: " + program;
      if (beside > 0) ::setpgid(beside, beside);
    } else {
      PoolOptions pool{.workers = threads,
                       .fresh = options.start == StartMethod::spawn,
                       .program = program,
                       .quiet = options.quiet,
                       .others = {fd}};
      served = std::thread([control = ends[1], pool = std::move(pool)]() mutable {
        WorkerPool(control, std::move(pool)).run();
        ::close(control);
      });
    }
    if (options.start == StartMethod::subprocess || !problem.empty()) ::close(ends[1]);
    reader = std::thread([this] { read_answers(); });
  }

  ~Pool() { close(); }

  void read_answers() {
    for (;;) {
      Message message = receive_message(fd);
      if (message.kind != MessageKind::job || message.payload.empty()) break;
      std::shared_ptr<JobFuture::State> state;
      {
        const std::lock_guard lock(mutex);
        if (const auto found = states.find(message.id); found != states.end()) {
          state = found->second;
          states.erase(found);
          std::erase_if(under_way, [&](const auto& entry) { return entry.second == state; });
        }
      }
      if (state == nullptr) continue;
      std::string text = message.payload.substr(1);
      switch (static_cast<JobEnd>(message.payload.front())) {
        case JobEnd::done:
          state->set(std::move(text));
          break;
        case JobEnd::crashed:
          state->set(tl::unexpected(JobFailure{Kind::crashed, std::move(text)}));
          break;
        case JobEnd::timed_out:
          state->set(tl::unexpected(JobFailure{Kind::timed_out, std::move(text)}));
          break;
        case JobEnd::cancelled:
          state->set(tl::unexpected(JobFailure{Kind::cancelled, std::move(text)}));
          break;
        case JobEnd::failed:
          state->set(tl::unexpected(JobFailure{Kind::failed, std::move(text)}));
          break;
      }
    }
    States left;
    {
      const std::lock_guard lock(mutex);
      if (!closed && problem.empty()) problem = "SubprocPool unclean exit";
      closed = true;
      left.swap(states);
      under_way.clear();
    }
    for (auto& [id, state] : left)
      state->set(tl::unexpected(JobFailure{Kind::closed, problem.empty() ? "SubprocPool closed" : problem}));
  }

  std::shared_ptr<JobFuture::State> submit(const std::string& text, const std::string& name) {
    const std::lock_guard lock(mutex);
    if (const auto same = under_way.find(text); same != under_way.end()) return same->second;
    auto state = std::make_shared<JobFuture::State>();
    state->name = name;
    if (closed) {
      state->set(
          tl::unexpected(JobFailure{Kind::closed, problem.empty() ? "Attempting to use a closed pool" : problem}));
      return state;
    }
    const std::int64_t id = next++;
    state->cancel = [pool = weak_from_this(), id] {
      if (const auto alive = pool.lock(); alive && alive->owner == ::getpid()) {
        const std::lock_guard sending(alive->mutex);
        send_message(alive->fd, {MessageKind::cancel, id});
      }
    };
    states[id] = under_way[text] = state;
    send_message(fd, {MessageKind::job, id, text});  // where the other side is gone, the reader notices
    return state;
  }

  void send(MessageKind kind) {
    const std::lock_guard lock(mutex);
    send_message(fd, {kind, -1});
  }

  void close() {
    if (fd < 0 || owner != ::getpid()) return;  // after a fork: the threads are the parent's
    {
      const std::lock_guard lock(mutex);
      closed = true;
      send_message(fd, {MessageKind::shutdown, -1});
    }
    if (served.joinable()) served.join();
    if (beside > 0)
      while (::waitpid(beside, nullptr, 0) < 0 && errno == EINTR) {
      }
    ::shutdown(fd, SHUT_RDWR);
    if (reader.joinable()) reader.join();
    ::close(std::exchange(fd, -1));
  }

  std::mutex mutex;
  States states;
  std::map<std::string, std::shared_ptr<JobFuture::State>> under_way;  ///< by the text of the job
  std::shared_ptr<JobFuture::State> ready;
  std::string problem;
  std::int64_t next = 0;
  bool closed = false;
  int fd = -1;
  pid_t owner;
  pid_t beside = -1;
  std::thread served, reader;
};

struct AsyncCompile::Impl {
  AsyncOptions options;
  int threads = 1;
  std::mutex mutex;
  std::shared_ptr<Pool> pool;
  std::map<std::string, JobFuture> kernels;  ///< by kernel_key()
  std::counting_semaphore<> slots{1};

  explicit Impl(AsyncOptions given)
      : options(std::move(given)), threads(options.threads > 0 ? options.threads : compile_threads()), slots(threads) {}
};

AsyncCompile::AsyncCompile(AsyncOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

AsyncCompile::~AsyncCompile() {
  shutdown();
}

std::shared_ptr<AsyncCompile::Pool> AsyncCompile::pool(bool start) {
  const std::lock_guard lock(impl_->mutex);
  auto& current = impl_->pool;
  if (current && current->owner != ::getpid()) {
    ::close(current->fd);
    new std::shared_ptr<Pool>(std::move(current));  // the parent's threads cannot be joined here: never destroyed
    current = nullptr;
  }
  if (!current && start) {
    current = std::make_shared<Pool>(impl_->options, impl_->threads);
    current->ready = current->submit(job_text(0, "ready", ""), "ready");
  }
  return current;
}

JobFuture AsyncCompile::submit(const std::string& job, const std::string& payload, const std::string& kernel,
                               std::chrono::milliseconds limit) {
  JobFuture future;
  if (impl_->threads > 1) {
    future.state_ = pool(true)->submit(job_text(limit.count(), job, payload), kernel);
    return future;
  }
  future.state_ = std::make_shared<JobFuture::State>();
  future.state_->name = kernel;
  std::string text;
  if (run_job(job, payload, text) == JobEnd::done)
    future.state_->set(std::move(text));
  else
    future.state_->set(tl::unexpected(JobFailure{Kind::failed, std::move(text)}));
  return future;
}

JobFuture AsyncCompile::submit_kernel(const std::string& job, const std::string& payload, const std::string& kernel,
                                      const std::string& torch_key) {
  counters().add("inductor", "async_compile_cache_miss");
  const std::string key = kernel_key(payload, torch_key);
  {
    const std::lock_guard lock(impl_->mutex);
    if (const auto known = impl_->kernels.find(key); known != impl_->kernels.end()) {
      counters().add("inductor", "async_compile_cache_hit");
      return known->second;
    }
  }
  const JobFuture future = submit(job, payload, kernel);
  const std::lock_guard lock(impl_->mutex);
  return impl_->kernels.try_emplace(key, future).first->second;
}

std::shared_future<std::shared_ptr<CodeResult<LoadedCode>>> AsyncCompile::cuda(CudaCodeCache& cache, std::string source,
                                                                               std::string ext) {
  auto task = [this, &cache, source = std::move(source), ext = std::move(ext)] {
    impl_->slots.acquire();
    auto result = std::make_shared<CodeResult<LoadedCode>>(cache.load(source, ext));
    impl_->slots.release();
    return result;
  };
  return std::async(impl_->threads > 1 ? std::launch::async : std::launch::deferred, std::move(task)).share();
}

bool AsyncCompile::use_process_pool() {
  if (impl_->threads <= 1) return false;
  const auto current = pool(true);
  const std::lock_guard lock(current->ready->mutex);
  return current->ready->result && current->ready->result->has_value();
}

Result<void> AsyncCompile::wait_pool_ready(std::chrono::milliseconds timeout) {
  if (impl_->threads <= 1) return {};
  use_process_pool();
  const auto ready = ready_future()->result(timeout);
  if (ready) return {};
  return fail(ready.error().kind == Kind::timed_out ? ErrorKind::busy : ErrorKind::io, ready.error().details, {},
              "TORCHINDUCTOR_COMPILE_THREADS=1 compiles without a pool");
}

std::optional<JobFuture> AsyncCompile::ready_future() const {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->pool) return std::nullopt;
  JobFuture future;
  future.state_ = impl_->pool->ready;
  return future;
}

void AsyncCompile::quiesce() {
  if (const auto current = pool(false)) current->send(MessageKind::quiesce);
}

void AsyncCompile::shutdown() {
  const auto current = pool(false);
  if (!current) return;
  current->close();
  const std::lock_guard lock(impl_->mutex);
  impl_->pool = nullptr;
}

Result<std::map<std::string, std::string>> AsyncCompile::wait(const std::map<std::string, JobFuture>& scope,
                                                              std::chrono::milliseconds limit) {
  if (int seconds = 0;
      limit.count() == 0 && read_int(environment_variable("TORCHINDUCTOR_COMPILE_WORKER_WAIT_TIMEOUT"), seconds))
    limit = std::chrono::seconds(seconds);
  std::map<std::string, std::string> results;
  for (const auto& [name, future] : scope) {
    auto result = future.result(limit.count() > 0 ? limit : std::chrono::milliseconds::max());
    if (result) {
      results[name] = std::move(*result);
    } else if (result.error().kind == Kind::timed_out) {
      return fail(ErrorKind::busy, "the compile of " + name + " is not done in time", {}, result.error().details);
    } else {
      result.error().name = name;
      return fail(ErrorKind::bad_input, result.error().text());
    }
  }
  return results;
}

Result<StartMethod> start_method(const std::string& name) {
  const std::string word = name.empty() ? environment_variable("TORCHINDUCTOR_WORKER_START") : name;
  if (word.empty() || word == "subprocess") return StartMethod::subprocess;
  if (word == "fork") return StartMethod::fork;
  if (word == "spawn") return StartMethod::spawn;
  return fail(ErrorKind::usage, "Invalid start method: " + word, {}, "subprocess, fork or spawn");
}

int compile_threads() {
  if (int threads = 0; read_int(environment_variable("TORCHINDUCTOR_COMPILE_THREADS"), threads))
    return std::max(threads, 1);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return std::clamp(CPU_COUNT(&cpus), 1, kMostThreads);
}

std::optional<int> compile_worker(int argc, char** argv) {
  g_can_be_worker = true;
  if (argc < 5 || std::strcmp(argv[1], kWorkerFlag) != 0) return std::nullopt;
  int fd = -1, parent = 0, threads = 1, quiet = 60'000;
  if (!read_int(argv[3], fd) || !read_int(argv[4], parent)) return 2;
  ::signal(SIGPIPE, SIG_IGN);
  end_with_parent(parent);
  if (std::strcmp(argv[2], "work") == 0) {
    work(fd);
    return 0;
  }
  if (argc < 7 || !read_int(argv[5], threads) || !read_int(argv[6], quiet)) return 2;
  WorkerPool(
      fd, {.workers = threads, .fresh = false, .program = {}, .quiet = std::chrono::milliseconds(quiet), .others = {}})
      .run();
  return 0;
}

std::string kernel_key(const std::string& source, const std::string& torch_key) {
  return code_hash(source, torch_key);
}

}  // namespace keyhole
