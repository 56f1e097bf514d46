// SPDX-License-Identifier: Apache-2.0
// The workers of one pool, served over one socket: jobs come in, answers go out.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "jobserver.h"
#include "wire.h"

namespace keyhole {

struct PoolOptions {
  int workers = 1;
  bool fresh = false;   ///< workers are started afresh, not forked
  std::string program;  ///< what becomes a worker then
  std::chrono::milliseconds quiet = std::chrono::seconds(60);
  std::vector<int> others;  ///< descriptors that a forked worker closes
};

/// Runs until it is told to shut down, or whoever uses it is gone. Not thread-safe: all in the thread that calls run().
class WorkerPool {
 public:
  WorkerPool(int control, PoolOptions options);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();
  void run();

 private:
  struct Job {
    std::int64_t id = -1, limit = 0;
    std::string text;
  };
  struct Worker {
    pid_t pid = -1;
    int fd = -1;
    std::int64_t job = -1;       ///< -1: none
    std::int64_t deadline = -1;  ///< by the monotonic clock; -1: none
    std::string bytes;           ///< what came of its answer
  };

  bool take_requests();
  bool obey(Message&& message);
  void assign();
  Worker* idle_worker();
  bool start_worker();
  void take_answer(Worker& worker);
  void end_job(Worker& worker, JobEnd end, std::string text);
  void kill_worker(Worker& worker);
  void drop_dead();
  void drop_idle();
  [[nodiscard]] int poll_time() const;
  void answer(std::int64_t id, JobEnd end, const std::string& text);

  int control_;
  PoolOptions options_;
  Jobserver tokens_;
  std::string requests_;
  std::deque<Job> waiting_;
  std::vector<Worker> workers_;
  std::int64_t quiet_since_ = 0;
  bool wants_token_ = false;
};

/// What a worker does: jobs from `fd` until it is closed.
void work(int fd);
/// A process with `arguments` behind its name and `fd` open; -1 where it cannot be started.
[[nodiscard]] pid_t start_process(const std::string& program, const std::vector<std::string>& arguments, int fd);
/// Of a process that ends with its parent: SIGTERM takes its whole group, and so the compilers that it started.
void end_with_parent(pid_t parent);

}  // namespace keyhole
