// SPDX-License-Identifier: Apache-2.0
#include "keyhole/db/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "keyhole/base/environment.h"
#include "keyhole/base/os.h"
#include "schema.h"

namespace keyhole {

const int kHistoryVersion = kHistoryMigrationCount;

namespace {

constexpr const char* kNetworkHint =
    "SQLite's write-ahead log needs shared memory: put the store on a local disk with --store or KEYHOLE_STORE";

/// Serialises the first open, so that many processes that start on no store at all make it once.
class FirstOpenLock {
 public:
  explicit FirstOpenLock(const std::string& store) : fd_(os().open(store + "/open.lock", O_RDWR | O_CREAT)) {
    if (fd_ < 0) {
      code_ = errno;
      return;
    }
    const std::int64_t until =
        os().monotonic() + 10'000'000'000;  // creating takes a few ms, a migration perhaps seconds
    while (os().flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK || os().monotonic() > until) {
        code_ = errno;
        return;
      }
      ::usleep(2000);
    }
  }
  FirstOpenLock(const FirstOpenLock&) = delete;
  FirstOpenLock& operator=(const FirstOpenLock&) = delete;
  ~FirstOpenLock() {
    if (fd_ >= 0) os().close(fd_);
  }
  [[nodiscard]] int code() const { return code_; }

 private:
  int fd_;
  int code_ = 0;
};

Result<void> refuse_network(const std::string& store) {
  FilesystemInfo info;
  if (os().statfs(store, info) != 0) return {};
  if (const char* name = network_filesystem(info.magic))
    return fail(ErrorKind::unsupported, std::string("the store is on a network filesystem (") + name + ")", store,
                kNetworkHint);
  return {};
}

Result<void> check_identity(Db& db, std::int64_t application, std::int64_t version) {
  if (application == kHistoryApplicationId) return {};
  if (application == 0 && version == 0 && db.value("SELECT count(*) FROM sqlite_schema").value_or(1) == 0 && db.ok())
    return {};
  if (!db.ok()) return db.status();
  return fail(ErrorKind::bad_input, "this SQLite file belongs to another program", db.path(),
              "choose another folder with --store");
}

Error newer(const Db& db, std::int64_t version) {
  return {ErrorKind::unsupported,
          "the store has format " + std::to_string(version) + ", this program knows up to " +
              std::to_string(kHistoryVersion),
          db.path(), "install the newer Keyhole, or use another --store; reading commands still work"};
}

Result<void> migrate(Db& db) {
  Transaction transaction(db, "BEGIN EXCLUSIVE");
  auto version = db.value("PRAGMA user_version").value_or(0);
  if (!db.ok()) return db.status();
  if (version > kHistoryVersion) return tl::make_unexpected(newer(db, version));
  if (version == 0) db.exec(("PRAGMA application_id = " + std::to_string(kHistoryApplicationId)).c_str());
  for (; version < kHistoryVersion && db.ok(); ++version) db.exec(kHistoryMigrations[version]);
  db.exec(("PRAGMA user_version = " + std::to_string(kHistoryVersion)).c_str());
  return transaction.commit();
}

Result<void> settle(Db& db) {
  db.exec(
      "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;"
      "PRAGMA foreign_keys = OFF; PRAGMA journal_size_limit = 16777216");
  return db.status();
}

}  // namespace

std::string default_store() {
  if (auto s = environment_variable("KEYHOLE_STORE"); !s.empty()) return s;
  if (auto s = environment_variable("XDG_DATA_HOME"); !s.empty()) return s + "/keyhole";
  return environment_variable("HOME") + "/.local/share/keyhole";
}

Result<Db> open_history(const std::string& store) {
  if (auto made = make_folders(store); !made) return tl::make_unexpected(made.error());
  if (auto local = refuse_network(store); !local) return tl::make_unexpected(local.error());
  const std::string path = store + "/history.db";
  if (os().access(store, W_OK | X_OK) != 0)
    return tl::make_unexpected(os_error(errno, "write into the store's folder", store));

  auto db = Db::open(path, {});
  if (!db) return db;
  auto application = db->value("PRAGMA application_id");
  auto version = db->value("PRAGMA user_version");
  if (!db->ok()) return tl::make_unexpected(db->error());
  if (application != kHistoryApplicationId || version != kHistoryVersion) {
    const FirstOpenLock lock(store);
    if (lock.code() == EWOULDBLOCK)
      return fail(ErrorKind::busy, "another process is still making the store", store, "try again in a moment");
    if (lock.code() != 0) return tl::make_unexpected(os_error(lock.code(), "lock the store's folder", store));
    application = db->value("PRAGMA application_id");
    version = db->value("PRAGMA user_version");
    if (!db->ok()) return tl::make_unexpected(db->error());
    if (auto ours = check_identity(*db, *application, *version); !ours) return tl::make_unexpected(ours.error());
    if (*version > kHistoryVersion) return tl::make_unexpected(newer(*db, *version));
    for (const char* folder : {"/blobs", "/journal"})
      if (auto made = make_folders(store + folder); !made) return tl::make_unexpected(made.error());
    if (*version < kHistoryVersion) {
      if (*version == 0) db->exec("PRAGMA auto_vacuum = INCREMENTAL");  // keyhole gc gives space back in small steps
      db->exec("PRAGMA journal_mode = WAL");
      if (auto migrated = migrate(*db); !migrated) return tl::make_unexpected(migrated.error());
    }
  }
  if (auto settled = settle(*db); !settled) return tl::make_unexpected(settled.error());
  return db;
}

Result<Db> open_history_to_read(const std::string& store) {
  const std::string path = store + "/history.db";
  FileInfo info;
  if (os().stat(path, info) != 0)
    return fail(ErrorKind::not_found, "there is no store here", store,
                "record or import something first, or name another with --store");
  auto db = Db::open(path, {.mode = Db::Mode::read});
  std::optional<std::int64_t> application;
  if (db) application = db->value("PRAGMA application_id");
  if (!db || !db->ok()) {
    const Error first = db ? db->error() : db.error();
    if (first.kind != ErrorKind::io) return tl::make_unexpected(first);
    // Where the process that made the store died at it, a journal has to be rolled back: that takes the right to write.
    // Where that right is missing, WAL cannot make its shared memory; without a log left over, the file is whole.
    const bool writable = os().access(store, W_OK) == 0 && os().access(path, W_OK) == 0;
    FileInfo log;
    if (!writable && os().stat(path + "-wal", log) == 0 && log.size > 0)
      return fail(ErrorKind::io, "the folder may not be written, and the store in it was not closed properly", store,
                  "copy the folder to where you may write, and name the copy with --store");
    db = Db::open(path, {.mode = writable ? Db::Mode::write : Db::Mode::immutable});
    if (!db) return db;
    application = db->value("PRAGMA application_id");
    if (!db->ok()) return tl::make_unexpected(db->error());
  }
  const auto version = db->value("PRAGMA user_version").value_or(0);
  if (!db->ok()) return tl::make_unexpected(db->error());
  if (application != kHistoryApplicationId) {
    if (auto ours = check_identity(*db, *application, version); !ours) return tl::make_unexpected(ours.error());
    return fail(ErrorKind::not_found, "the store is empty", store, "record or import something first");
  }
  if (version > kHistoryVersion &&
      db->value("SELECT value FROM meta WHERE name = 'readable_from'").value_or(version) > kReadableVersion) {
    Error e = newer(*db, version);
    e.hint = "install the newer Keyhole, or use another --store";
    return tl::make_unexpected(e);
  }
  db->exec(
      "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; PRAGMA mmap_size = 268435456");
  if (!db->ok()) return tl::make_unexpected(db->error());
  return db;
}

std::string version_note(Db& history) {
  const auto version = history.value("PRAGMA user_version").value_or(0);
  if (version <= kHistoryVersion) return {};
  return "the store has format " + std::to_string(version) + ", this program knows up to " +
         std::to_string(kHistoryVersion) + ": it is read, not written, and what is new in it is not shown";
}

Result<TemporaryStore> TemporaryStore::make() {
  std::string pattern = environment_variable("TMPDIR");
  if (pattern.empty()) pattern = "/tmp";
  pattern += "/keyhole-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr)
    return tl::make_unexpected(os_error(errno, "make a temporary folder", pattern));
  return TemporaryStore(std::move(pattern));
}
TemporaryStore::TemporaryStore(TemporaryStore&& other) noexcept : path_(std::move(other.path_)) {
  other.path_.clear();
}
TemporaryStore::~TemporaryStore() {
  if (!path_.empty()) remove_folder(path_);
}

}  // namespace keyhole
