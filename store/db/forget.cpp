// SPDX-License-Identifier: Apache-2.0
// Forgetting runs: rows of a run first, then what no run refers to any more; all of it in turns with those who record.
#include <fcntl.h>
#include <sys/file.h>

#include <array>
#include <cerrno>

#include "keyhole/base/os.h"
#include "keyhole/db/store.h"
#include "keyhole/db/upkeep.h"
#include "turns.h"

namespace keyhole {
namespace {

std::int64_t size_of(const std::string& store) {
  FileInfo info;
  return os().stat(store + "/history.db", info) == 0 ? info.size : 0;
}

/// One process sweeps at a time: what two find unused they would find used by each other.
class SweepLock {
 public:
  explicit SweepLock(const std::string& store) : fd_(os().open(store + "/gc.lock", O_RDWR | O_CREAT)) {
    if (fd_ < 0 || os().flock(fd_, LOCK_EX | LOCK_NB) != 0) code_ = errno;
  }
  SweepLock(const SweepLock&) = delete;
  SweepLock& operator=(const SweepLock&) = delete;
  ~SweepLock() {
    if (fd_ >= 0) os().close(fd_);
  }
  [[nodiscard]] int code() const { return code_; }

 private:
  int fd_;
  int code_ = 0;
};

/// Runs `statement`, which deletes a bounded number of rows, until it deletes none.
void until_none(Db& db, Turns& turns, const char* statement, RowId run) {
  for (bool more = true; more && db.ok();) {
    turns.next();
    Query(db, statement, run).run();
    more = db.ok() && db.changes() > 0;
  }
}

/// Lookups go together with their part of the run's counters: a sweep that is killed leaves a store that verifies.
std::int64_t forget_lookups(Db& db, Turns& turns, RowId run) {
  std::int64_t gone = 0;
  for (bool more = true; more && db.ok();) {
    turns.next();
    std::array<std::int64_t, 8> outcomes{};
    std::int64_t n = 0;
    {
      Query q(db,
              "DELETE FROM lookup WHERE id IN (SELECT l.id FROM process p JOIN lookup l ON l.process = p.id WHERE "
              "p.run = ? "
              "LIMIT 200) RETURNING outcome",
              run);
      for (; q.next(); ++n) ++outcomes[static_cast<std::size_t>(q.integer(0)) & 7];
    }
    Query(db,
          "UPDATE run SET lookups = lookups - ?2, hits = hits - ?3, misses = misses - ?4, bypasses = bypasses - ?5 "
          "WHERE id = ?1",
          run, n, outcomes[1], outcomes[2] + outcomes[3], outcomes[4])
        .run();
    gone += n;
    more = n > 0;
  }
  return gone;
}

void forget_run(Db& db, Turns& turns, RowId run, std::int64_t& lookups) {
  until_none(db, turns,
             "DELETE FROM symbol WHERE compile IN (SELECT c.id FROM compile c JOIN process p ON p.id = c.process WHERE "
             "p.run = ? AND "
             "EXISTS (SELECT 1 FROM symbol s WHERE s.compile = c.id) LIMIT 20)",
             run);
  until_none(db, turns,
             "DELETE FROM compile_text WHERE compile IN (SELECT c.id FROM compile c JOIN process p ON p.id = c.process "
             "WHERE p.run = ? "
             "AND EXISTS (SELECT 1 FROM compile_text t WHERE t.compile = c.id) LIMIT 20)",
             run);
  lookups += forget_lookups(db, turns, run);
  until_none(db, turns,
             "DELETE FROM compile WHERE id IN (SELECT c.id FROM process p JOIN compile c ON c.process = p.id WHERE "
             "p.run = ? LIMIT 200)",
             run);
  until_none(db, turns,
             "DELETE FROM process_identity WHERE process IN (SELECT id FROM process WHERE run = ? LIMIT 200)", run);
  // What has one row a source, or a process, goes with the run itself.
  turns.next();
  for (const char* statement :
       {"DELETE FROM process WHERE run = ?", "DELETE FROM problem WHERE run = ?", "DELETE FROM source WHERE run = ?",
        "UPDATE snapshot SET run = NULL WHERE run = ?", "DELETE FROM run WHERE id = ?"})
    Query(db, statement, run).run();
}

/// Gives pages that are free back to the filesystem, some hundred a transaction.
void give_back(Db& db) {
  if (db.value("PRAGMA auto_vacuum").value_or(0) != 2)
    return;  // made by an early version: its free pages are used again
  std::int64_t left = db.value("PRAGMA freelist_count").value_or(0);
  while (left > 0 && db.ok()) {
    for (Query q(db, "PRAGMA incremental_vacuum(200)"); q.next();) {
    }
    os().sleep(6'000'000);
    const std::int64_t now = db.value("PRAGMA freelist_count").value_or(0);
    if (now >= left) break;
    left = now;
  }
}

}  // namespace

Result<ForgetReport> forget_runs(const std::string& store, const std::vector<RowId>& runs) {
  auto opened = open_history(store);
  if (!opened) return tl::make_unexpected(opened.error());
  const SweepLock lock(store);
  if (lock.code() == EWOULDBLOCK)
    return fail(ErrorKind::busy, "another keyhole gc is at work in this store", store, "let it end");
  if (lock.code() != 0) return tl::make_unexpected(os_error(lock.code(), "lock the store's folder", store));
  Db& db = *opened;
  ForgetReport report;
  db.value("PRAGMA wal_checkpoint(PASSIVE)");
  report.bytes_before = size_of(store);
  Turns turns(db);
  for (const RowId run : runs) {
    forget_run(db, turns, run, report.lookups);
    if (!db.ok()) return tl::make_unexpected(db.error());
    ++report.runs;
  }
  turns.end();
  if (auto swept = sweep(db, turns); !swept) return tl::make_unexpected(swept.error());
  give_back(db);
  db.value("PRAGMA wal_checkpoint(PASSIVE)");
  report.bytes_after = size_of(store);
  if (!db.ok()) return tl::make_unexpected(db.error());
  return report;
}

}  // namespace keyhole
