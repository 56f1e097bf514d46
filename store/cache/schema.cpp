// SPDX-License-Identifier: Apache-2.0
// The schema of cache.db. What is in it can be thrown away: the history is another file.
#include "schema.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <iterator>

#include "keyhole/base/os.h"

namespace keyhole {
namespace {

// From version i to i + 1. Append only: what was released is never changed.
constexpr const char* kMigrations[] = {R"sql(
-- Content by its SHA-256, each once. file: it is blobs/<first 2 hex>/<other 62>; else it is the chunks id * 1024 and on.
CREATE TABLE blob(
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL,      -- of the content
  codec INTEGER NOT NULL,     -- 0: as it is; 1: zstd
  stored INTEGER NOT NULL,    -- bytes on the disk
  checksum INTEGER NOT NULL,  -- CRC-32C of these
  file INTEGER NOT NULL) STRICT;
-- A chunk fills a page and spills nothing: it is read where the page is mapped. As one value on overflow pages, SQLite
-- would gather 64 KiB into memory of its own first, and reading took three times as long.
CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

-- name: compact hash of the content; its order is the order in which the entries of a key are tried.
CREATE TABLE entry(
  id INTEGER PRIMARY KEY, layer INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, guard TEXT NOT NULL,
  blob INTEGER NOT NULL, files INTEGER NOT NULL, metadata TEXT NOT NULL, cost INTEGER NOT NULL, created INTEGER NOT NULL,
  size INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX entry_by_key ON entry(layer, key, name, guard);
CREATE INDEX entry_by_blob ON entry(blob);
CREATE TABLE bundle_file(
  entry INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, blob INTEGER NOT NULL,
  PRIMARY KEY(entry, position)) STRICT, WITHOUT ROWID;
CREATE INDEX bundle_file_by_blob ON bundle_file(blob);

-- What keys were made of, in groups: most keys share all of them but one. members: wire.h, zstd.
CREATE TABLE component_group(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, members BLOB NOT NULL) STRICT;
CREATE TABLE entry_group(
  entry INTEGER NOT NULL, position INTEGER NOT NULL, component_group INTEGER NOT NULL,
  PRIMARY KEY(entry, position)) STRICT, WITHOUT ROWID;
CREATE INDEX entry_group_by_group ON entry_group(component_group);

-- Taken in from the journals: a hit itself writes nothing here.
CREATE TABLE use(entry INTEGER PRIMARY KEY, last INTEGER NOT NULL, hits INTEGER NOT NULL) STRICT;
CREATE TABLE journal(name TEXT PRIMARY KEY, taken INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- reason: 1 size, 2 age, 3 removed, 4 damaged.
CREATE TABLE tombstone(
  id INTEGER PRIMARY KEY, layer INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, reason INTEGER NOT NULL,
  time INTEGER NOT NULL, created INTEGER NOT NULL, size INTEGER NOT NULL) STRICT;
CREATE INDEX tombstone_by_key ON tombstone(layer, key);

-- Seconds that a choice took, by operator, inputs and precision, on one system.
CREATE TABLE choice(
  system TEXT NOT NULL, op TEXT NOT NULL, inputs TEXT NOT NULL, precision TEXT NOT NULL, choice TEXT NOT NULL,
  seconds REAL NOT NULL, PRIMARY KEY(system, op, inputs, precision, choice)) STRICT, WITHOUT ROWID;
)sql",
                                       // CRC-32C of what an entry says: a guard or a reference that the disk changed
                                       // would serve the wrong content. 0: put before there was one.
                                       "ALTER TABLE entry ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0"};

// Pages of 8 KiB in the write-ahead log. Taking them into the file costs about 20 ms a thousand, which the put that
// crosses the line pays: at SQLite's own thousand that is every 90th put of 32 KiB, and is the p99 of all. With
// synchronous FULL the line is lower: the log is synced at each put, which is cheaper where it is written over than
// where it grows. Twice over it, readers have kept the log from starting over: then they are waited for.
constexpr std::intptr_t kCheckpoint = 8000, kCheckpointDurable = 1000;

int after_commit(void* most, sqlite3* handle, const char* name, int pages) {
  const auto line = reinterpret_cast<std::intptr_t>(most);
  if (pages >= line)
    sqlite3_wal_checkpoint_v2(handle, name, pages >= 2 * line ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE,
                              nullptr, nullptr);
  return SQLITE_OK;  // what could not be done now is done by a later put
}

/// Serialises making and migrating.
class MakingLock {
 public:
  explicit MakingLock(const std::string& store) : fd_(os().open(store + "/cache.lock", O_RDWR | O_CREAT)) {
    if (fd_ < 0) {
      code_ = errno;
      return;
    }
    const std::int64_t until = os().monotonic() + 10'000'000'000;
    while (os().flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK || os().monotonic() > until) {
        code_ = errno;
        return;
      }
      ::usleep(1000);
    }
  }
  MakingLock(const MakingLock&) = delete;
  MakingLock& operator=(const MakingLock&) = delete;
  ~MakingLock() {
    if (fd_ >= 0) os().close(fd_);
  }
  [[nodiscard]] int code() const { return code_; }

 private:
  int fd_;
  int code_ = 0;
};

Result<void> make(Db& db, const std::string& store) {
  const MakingLock lock(store);
  if (lock.code() == EWOULDBLOCK)
    return fail(ErrorKind::busy, "another process is still making the store", store, "try again in a moment");
  if (lock.code() != 0) return tl::unexpected(os_error(lock.code(), "lock the store's folder", store));

  const auto application = db.value("PRAGMA application_id");
  auto version = db.value("PRAGMA user_version");
  if (!db.ok()) return db.status();
  if (*application != kCacheApplicationId &&
      (*application != 0 || db.value("SELECT count(*) FROM sqlite_schema").value_or(1) != 0))
    return fail(ErrorKind::bad_input, "this SQLite file belongs to another program", db.path(),
                "choose another folder with --store");
  if (*version > kCacheVersion)
    return fail(ErrorKind::unsupported,
                "the cache has format " + std::to_string(*version) + ", this program knows up to " +
                    std::to_string(kCacheVersion),
                db.path(), "install the newer Keyhole, or use another --store");
  if (*version == kCacheVersion) return {};
  for (const char* folder : {"/blobs", "/journal"})
    if (auto made = make_folders(store + folder); !made) return made;
  if (*version == 0) {
    // Chunks are cut for pages of 8 KiB. Eviction gives pages back to the file system.
    db.exec("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
  }
  Transaction transaction(db, "BEGIN EXCLUSIVE");
  if (*version == 0) db.exec(("PRAGMA application_id = " + std::to_string(kCacheApplicationId)).c_str());
  for (; *version < kCacheVersion && db.ok(); ++*version) db.exec(kMigrations[*version]);
  db.exec(("PRAGMA user_version = " + std::to_string(kCacheVersion)).c_str());
  return transaction.commit();
}

}  // namespace

const int kCacheVersion = static_cast<int>(std::size(kMigrations));

Result<Db> open_cache(const std::string& store, const CacheFile& options) {
  if (options.writes) {
    if (auto made = make_folders(store); !made) return tl::unexpected(made.error());
    FilesystemInfo info;
    if (os().statfs(store, info) == 0) {
      if (const char* network = network_filesystem(info.magic))
        return fail(ErrorKind::unsupported, std::string("the store is on a network filesystem (") + network + ")",
                    store,
                    "SQLite's write-ahead log needs shared memory: put the store on a local disk with --store or "
                    "KEYHOLE_STORE");
    }
  }
  auto db = Db::open(store + "/cache.db",
                     {.mode = options.writes ? Db::Mode::write : Db::Mode::read, .busy_ms = options.busy_ms});
  if (!db) return db;
  const auto application = db->value("PRAGMA application_id");
  const auto version = db->value("PRAGMA user_version");
  if (!db->ok()) return tl::unexpected(db->error());
  if (application != kCacheApplicationId || version != kCacheVersion) {
    if (!options.writes)
      return fail(ErrorKind::unsupported, "the cache is not of this version", store,
                  "open it with the Keyhole that made it");
    if (auto made = make(*db, store); !made) return tl::unexpected(made.error());
  }
  db->exec(options.durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  db->exec(
      "PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF; "
      "PRAGMA journal_size_limit = 67108864; PRAGMA mmap_size = 2147418112");
  // The log and its index stay when the last one closes: a fork whose parent closes goes on with both.
  int stay = 1;
  sqlite3_file_control(db->handle(), "main", SQLITE_FCNTL_PERSIST_WAL, &stay);
  if (options.writes)
    sqlite3_wal_hook(db->handle(), after_commit,
                     reinterpret_cast<void*>(options.durable ? kCheckpointDurable : kCheckpoint));
  else
    db->exec("PRAGMA query_only = ON");
  if (!db->ok()) return tl::unexpected(db->error());
  return db;
}

}  // namespace keyhole
