// SPDX-License-Identifier: Apache-2.0
// Compiling in other processes, as PyTorch's AsyncCompile does: a pool, futures, and what happens when a job fails,
// hangs or dies.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/compiler/code_cache.h"

namespace keyhole {

/// What a worker does with a payload; an Error, or what is thrown, becomes the job's failure. Named, since a job
/// travels to a process that was started afresh: what is registered must be so there too (the `command` job always is).
using JobFunction = std::function<Result<std::string>(const std::string& payload)>;
void register_job(const std::string& name, JobFunction function);

/// The payload of the job "command": one compiler command through a store. Its result is what the compiler said; a
/// compiler that fails is a failed job whose text is CompileError::text().
[[nodiscard]] std::string command_payload(const std::string& store, const std::vector<std::string>& argv);

/// How workers come to be. subprocess: a process beside this one, started afresh, forks them (the default: nothing of
/// this process's threads and locks is copied); fork: this process forks them; spawn: each is started afresh.
enum class StartMethod { subprocess, fork, spawn };
/// "subprocess", "fork", "spawn"; empty: TORCHINDUCTOR_WORKER_START, else subprocess. Another fails (usage: "Invalid
/// start method: …").
Result<StartMethod> start_method(const std::string& name = {});
/// TORCHINDUCTOR_COMPILE_THREADS, else the processors that this process may use, at most 32.
[[nodiscard]] int compile_threads();

struct JobFailure {
  enum class Kind { failed, crashed, timed_out, cancelled, closed };
  Kind kind = Kind::failed;
  std::string details;                     ///< the worker's own text
  std::string name = "<unknown>";          ///< of the kernel; the caller knows it
  [[nodiscard]] std::string text() const;  ///< "An exception occurred in a subprocess:\n\nName=…\n…"
};
using JobResult = tl::expected<std::string, JobFailure>;

/// A job under way. Copies are the same job. Thread-safe.
class JobFuture {
 public:
  [[nodiscard]] bool done() const;
  /// Waits. Where `timeout` passes first: timed_out, and the job goes on.
  [[nodiscard]] JobResult result(std::chrono::milliseconds timeout = std::chrono::milliseconds::max()) const;
  /// The job ends as cancelled; what it had started is killed. No effect on one that is done.
  void cancel() const;
  struct State;

 private:
  friend class AsyncCompile;
  std::shared_ptr<State> state_;
};

struct AsyncOptions {
  StartMethod start = StartMethod::subprocess;
  int threads = 0;  ///< 0: compile_threads(). With 1 jobs run at once, in the caller
  /// The program that becomes a worker (subprocess, spawn): it calls compile_worker() first of all. Empty: this
  /// program, which must do so.
  std::string worker = {};
  std::chrono::milliseconds quiet = std::chrono::seconds(60);  ///< workers end after so long without a job
};

/// A pool of workers. Under make's jobserver each job beyond the first takes a token. A worker that dies fails its one
/// job and is replaced. Thread-safe; after a fork the child has a pool of its own, which starts anew.
class AsyncCompile {
 public:
  explicit AsyncCompile(AsyncOptions options = {});
  ~AsyncCompile();

  /// Starts the job; the same job with the same payload that is under way is not started again. `kernel`: what a
  /// failure names. `limit`: the job is killed, and fails as timed_out, when it took longer; 0: never.
  [[nodiscard]] JobFuture submit(const std::string& job, const std::string& payload,
                                 const std::string& kernel = "<unknown>", std::chrono::milliseconds limit = {});
  /// A kernel's source: counted as async_compile_cache_miss on every request and as _hit where it is under way or done.
  [[nodiscard]] JobFuture submit_kernel(const std::string& job, const std::string& payload, const std::string& kernel,
                                        const std::string& torch_key = {});
  /// Through the CUDA cache, in a thread: the library.
  [[nodiscard]] std::shared_future<std::shared_ptr<CodeResult<LoadedCode>>> cuda(CudaCodeCache& cache,
                                                                                 std::string source, std::string ext);

  /// Whether the pool is up. The first call starts it and says no; with one thread it is never used.
  bool use_process_pool();
  /// Waits until it is; busy when the time is over.
  Result<void> wait_pool_ready(std::chrono::milliseconds timeout = std::chrono::seconds(120));
  /// "ready" when it is; absent: not asked for yet, or shut down.
  [[nodiscard]] std::optional<JobFuture> ready_future() const;
  /// Lets workers end until the next job.
  void quiesce();
  /// Ends all; what is under way fails as closed. The next job starts a new pool.
  void shutdown();

  /// The results by name. `limit` 0: TORCHINDUCTOR_COMPILE_WORKER_WAIT_TIMEOUT in seconds, else none. Fails with the
  /// name of the one that is not done in time, or the text of the one that failed.
  static Result<std::map<std::string, std::string>> wait(const std::map<std::string, JobFuture>& scope,
                                                         std::chrono::milliseconds limit = {});

 private:
  struct Pool;
  std::shared_ptr<Pool> pool(bool start);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What the program behind AsyncOptions::worker calls before anything else: where it was started as a worker, does the
/// work and gives the exit status; else absent.
std::optional<int> compile_worker(int argc, char** argv);

/// Code key of a kernel's source and torch_key(): PyTorch's name for it in this process.
[[nodiscard]] std::string kernel_key(const std::string& source, const std::string& torch_key);

}  // namespace keyhole
