// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include "impl.h"
#include "keyhole/base/os.h"
#include "schema.h"

namespace keyhole {
namespace {

constexpr std::size_t kIdle = 16;  // connections kept open for threads that come back

thread_local int presences = 0;

/// 0: there is none.
std::uint64_t inode_of_log(const std::string& store) {
  struct stat s {};
  return ::stat((store + "/cache.db-wal").c_str(), &s) == 0 ? s.st_ino : 0;
}

}  // namespace

ArtifactCache::Impl::~Impl() {
  Process* mine = now.load();
  if (mine == nullptr || mine->generation != fork_generation()) return;
  mine->idle.clear();
  mine->watch.reset();  // the writer goes last: only it can take the log into the file
  delete mine;
}

ArtifactCache::Impl::Process& ArtifactCache::Impl::process() {
  Process* mine = now.load(std::memory_order_acquire);
  while (mine == nullptr || mine->generation != fork_generation()) {
    // A parent's connections must not be closed here, and its mutexes may be held for ever: they are left behind.
    auto fresh = std::make_unique<Process>(options.recall_limit);
    fresh->generation = fork_generation();
    if (options.record) fresh->journal = Journal::of_process(store);
    if (now.compare_exchange_strong(mine, fresh.get())) mine = fresh.release();
  }
  return *mine;
}

std::optional<LogState> ArtifactCache::Impl::Process::log_state(const Impl& cache) {
  if (!watched.load(std::memory_order_acquire)) {
    const std::scoped_lock lock(watching);
    if (!watched) {
      if (auto db = open_cache(cache.store, {.busy_ms = static_cast<int>(cache.options.get_patience.count())}))
        watch.emplace(std::move(*db));
      watched.store(true, std::memory_order_release);
    }
  }
  return watch ? watch->state() : std::nullopt;
}

Presence::Presence(ArtifactCache::Impl::Process& process) : process_(process) {
  ++presences;
  for (;;) {
    ++process_.present;
    if (presences > 1 || !process_.renewing) return;  // who is there already must not wait for who waits for it
    --process_.present;
    ::usleep(100);
  }
}
Presence::~Presence() {
  --process_.present;
  --presences;
}
bool Presence::held() {
  return presences > 0;
}

Reading::Reading(ArtifactCache::Impl& cache)
    : process_(cache.process()), presence_(process_), db_(take(cache, process_)) {}

Result<Db> Reading::take(const ArtifactCache::Impl& cache, ArtifactCache::Impl::Process& process) {
  {
    const std::scoped_lock lock(process.mutex);
    if (!process.idle.empty()) {
      Result<Db> db(std::move(process.idle.back()));
      process.idle.pop_back();
      return db;
    }
  }
  return open_cache(cache.store, {.busy_ms = static_cast<int>(cache.options.get_patience.count())});
}

Reading::~Reading() {
  if (!db_ || !db_->ok()) return;  // one that failed is closed: the next get opens afresh
  const std::scoped_lock lock(process_.mutex);
  if (process_.idle.size() < kIdle) process_.idle.push_back(std::move(*db_));
}

Writing::Writing(ArtifactCache::Impl& cache)
    : process_(cache.process()), lock_(process_.writing, cache.options.put_patience) {
  if (!lock_) {
    error_ = Error{ErrorKind::busy, "another thread holds the store for writing", cache.store, "try again in a moment"};
    return;
  }
  // Another copy of SQLite in this process that opens and closes the file takes this one's locks away (fcntl(2)). Then
  // another process may believe to be the last and remove the log: what is written to it would be lost.
  if (process_.writer && process_.writers_log != inode_of_log(cache.store)) {
    if (!close_all(cache)) {
      error_ = Error{ErrorKind::busy, "the store's log was replaced, and a lookup still reads the old one", cache.store,
                     "try again in a moment"};
      return;
    }
  }
  if (!process_.writer) {
    auto db = open_cache(cache.store, {.writes = true,
                                       .durable = cache.options.durable,
                                       .busy_ms = static_cast<int>(cache.options.put_patience.count())});
    if (db)
      process_.writer = std::move(*db), process_.writers_log = inode_of_log(cache.store);
    else
      error_ = db.error();
  }
}

bool Writing::close_all(const ArtifactCache::Impl& cache) {
  if (Presence::held()) return false;
  const std::int64_t until = os().monotonic() + std::chrono::nanoseconds(cache.options.put_patience).count();
  process_.renewing = true;
  while (process_.present > 0 && os().monotonic() < until) ::usleep(100);
  const bool alone = process_.present == 0;
  if (alone) {
    process_.writer.reset();
    process_.idle.clear();
    process_.watch.reset();
    process_.watched = false;
  }
  process_.renewing = false;
  return alone;
}

Writing::~Writing() {
  if (lock_ && process_.writer && !process_.writer->ok()) process_.writer.reset();
}

}  // namespace keyhole
