// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "journal.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/sqlite.h"
#include "recall.h"

namespace keyhole {

struct ArtifactCache::Impl {
  /// What belongs to one process. A fork leaves the parent's alone, for ever, and makes its own.
  struct Process {
    /// An entry and when it was used last, as far as the journals were taken in.
    struct Candidate {
      std::int64_t id, used;
    };
    explicit Process(std::size_t recall_limit) : recall(recall_limit) {}
    /// Absent where it cannot be told: then nothing may be recalled.
    std::optional<LogState> log_state(const Impl& cache);

    std::uint64_t generation = 0;
    std::mutex mutex;
    std::vector<Db> idle;  // connections for reading; a get takes one out
    std::timed_mutex writing;
    std::optional<Db> writer;
    std::uint64_t writers_log = 0;  // inode of the log that it writes to; 0: not known
    struct {
      std::mutex mutex;
      std::int64_t size = 0, unmeasured = -1;  // bytes stored; of them by puts since they were summed up; -1: never
      std::vector<Candidate> least_used;       // the next at the back
    } trimming;
    Recall recall;
    std::mutex watching;
    std::atomic<bool> watched{false};
    std::optional<LogWatch> watch;
    std::atomic<int> present{0};  // who may use `idle` and `watch`; see Presence
    std::atomic<bool> renewing{false};
    std::shared_ptr<Journal> journal;  // null: nothing is recorded
  };

  std::string store;
  CacheOptions options;
  std::atomic<Process*> now{nullptr};

  ~Impl();
  Process& process();
};

/// Held while connections are used. Where the log was removed beneath this process, all of them are closed together:
/// one that stayed open would keep SQLite at the shared memory that nobody else sees any more.
class Presence {
 public:
  explicit Presence(ArtifactCache::Impl::Process& process);
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  ~Presence();
  /// Whether this thread holds one.
  [[nodiscard]] static bool held();

 private:
  ArtifactCache::Impl::Process& process_;
};

/// A connection for reading, taken for one call.
class Reading {
 public:
  explicit Reading(ArtifactCache::Impl& cache);
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading();
  [[nodiscard]] Result<Db>& db() { return db_; }

 private:
  static Result<Db> take(const ArtifactCache::Impl& cache, ArtifactCache::Impl::Process& process);

  ArtifactCache::Impl::Process& process_;
  Presence presence_;
  Result<Db> db_;
};

/// The one connection of the process for writing, held for one call; waits for other threads as long as for other
/// processes.
class Writing {
 public:
  explicit Writing(ArtifactCache::Impl& cache);
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing();
  [[nodiscard]] bool ok() const { return !error_; }
  [[nodiscard]] const Error& error() const { return *error_; }
  [[nodiscard]] Db& db() { return *process_.writer; }

 private:
  bool close_all(const ArtifactCache::Impl& cache);

  ArtifactCache::Impl::Process& process_;
  std::unique_lock<std::timed_mutex> lock_;
  std::optional<Error> error_;
};

/// How far a journal file, or what else is passed on in parts, was taken in; 0: nothing yet.
std::int64_t taken_of(Db& db, std::string_view name);
/// Within a transaction.
void note_taken(Db& db, std::string_view name, std::int64_t taken);
/// Tells the history of tombstones that it does not know yet.
Result<void> pass_on_tombstones(ArtifactCache::Impl& cache);
/// Why a tombstone stands. The numbers reach the disk.
enum class Gone : std::int64_t { size = 1, age = 2, removed = 3, damaged = 4 };
/// Within a transaction: removes an entry with what only it needs and leaves a tombstone. `files` collects the blob
/// files to unlink after the commit.
/// Gives the bytes of blobs that this freed.
std::int64_t drop_entry(Db& db, std::int64_t id, Gone reason, std::vector<Digest>& files);
Result<std::int64_t> remove_entries(ArtifactCache::Impl& cache, Layer layer, std::string_view key);

struct Victim {
  std::int64_t id = 0, bytes = 0;  // what dropping it is expected to free
};
/// Removes the victims, a batch a transaction. Gives what became free.
Result<Evicted> drop_all(ArtifactCache::Impl& cache, const std::vector<Victim>& victims, Gone reason);

/// After a put of entry `added` with `size` bytes: keeps to CacheOptions::max_size. Best effort: where it fails, a
/// later put does it.
void trim(ArtifactCache& cache, std::int64_t added, std::int64_t size);

}  // namespace keyhole
