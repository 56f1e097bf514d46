// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "blobs.h"
#include "entry_sum.h"
#include "impl.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/maintenance.h"
#include "schema.h"

namespace keyhole {
namespace {

constexpr std::int64_t kTemporaryAge = 3'600'000'000'000;  // a temporary file that old has no writer any more

/// SQLite's own check. Absent: sound.
std::optional<std::string> damage_of(const std::string& store) {
  auto db = open_cache(store, {});
  if (!db) {
    if (db.error().kind == ErrorKind::corrupt || db.error().kind == ErrorKind::bad_input) return db.error().what;
    return {};
  }
  Query q(*db, "PRAGMA quick_check(1)");
  const bool row = q.next();
  if (row && q.text(0) == "ok") return {};
  return row ? std::string(q.text(0)) : db->error().what;
}

void check_blobs(ArtifactCache::Impl& cache, Verified& verified, std::set<std::int64_t>& bad) {
  std::int64_t after = 0;
  for (bool more = true; more;) {
    more = false;
    Reading reading(cache);
    auto& db = reading.db();
    if (!db) return;
    // A batch a query: a reader that stays for long keeps the log from being taken into the file.
    Query q(*db, "SELECT " KEYHOLE_BLOB_COLUMNS " FROM blob b WHERE b.id > ? ORDER BY b.id LIMIT 100", after);
    while (q.next()) {
      more = true;
      after = q.integer(0);
      const BlobRow row(q, 0);
      ++verified.blobs;
      verified.bytes += row.stored;
      if (const auto content = load_blob(*db, cache.store, row, true); !content) {
        bad.insert(after);
        verified.problems.push_back({db->path(), -1, content.error().what, "entries that need it are misses"});
      }
    }
  }
}

std::vector<Victim> broken_entries(ArtifactCache::Impl& cache, const std::set<std::int64_t>& bad, Verified& verified) {
  std::vector<Victim> broken;
  Reading reading(cache);
  auto& db = reading.db();
  if (!db) return broken;
  Query q(*db,
          "SELECT e.id, e.name, e.files, e.blob, e.layer, e.key, e.guard, e.metadata, e.cost, e.checksum, b.hash "
          "FROM entry e LEFT JOIN blob b ON b.id = e.blob");
  while (q.next()) {
    ++verified.entries;
    const auto name = q.text(1);
    EntrySum sum(static_cast<Layer>(q.integer(4)), q.text(5), name, q.text(6), q.text(7), q.integer(8),
                 digest_of(q.text(10)));
    bool sound = !bad.contains(q.integer(3));
    std::int64_t files = 0;
    Query f(*db,
            "SELECT b.id, f.name, b.hash FROM bundle_file f JOIN blob b ON b.id = f.blob WHERE f.entry = ? ORDER BY "
            "f.position",
            q.integer(0));
    for (; f.next(); ++files) {
      sound = sound && !bad.contains(f.integer(0));
      sum.file(f.text(1), digest_of(f.text(2)));
    }
    const char* problem = nullptr;
    if (q.text(10).empty() || files != q.integer(2))
      problem = " lacks content";
    else if (!sum.fits(q.integer(9)))
      problem = " does not match its checksum";
    if (problem != nullptr) verified.problems.push_back({db->path(), -1, "entry " + std::string(name) + problem, {}});
    if (!sound || problem != nullptr) broken.push_back({q.integer(0), 0});
  }
  return broken;
}

/// Files of blobs/ that no row names: left by a process that died between file and row.
void check_files(ArtifactCache::Impl& cache, bool repair, Verified& verified) {
  std::vector<std::string> folders, files;
  const std::string root = cache.store + "/blobs";
  os().list(root, folders);
  for (const auto& folder : folders) {
    os().list(root + "/" + folder, files);
    for (const auto& file : files) {
      const std::string path = root + "/" + folder + "/" + file;
      const std::string hex = folder + file;
      std::string raw;
      for (std::size_t i = 0; i + 1 < hex.size() && hex.size() == 64; i += 2)
        raw += static_cast<char>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16));
      const Digest hash = digest_of(raw);
      FileInfo info;
      if (hash.hex() != hex) {
        if (os().stat(path, info) != 0 || os().now() - info.modified < kTemporaryAge) continue;
        verified.problems.push_back({path, -1, "a temporary file was left behind", {}});
        if (repair && os().unlink(path) == 0) ++verified.repaired;
        continue;
      }
      Writing writing(cache);
      if (!writing.ok()) return;
      Transaction transaction(writing.db());
      if (Query(writing.db(), "SELECT 1 FROM blob WHERE hash = ? AND file", Blob{raw}).next() || !writing.db().ok())
        continue;
      verified.problems.push_back({path, -1, "nothing names this file", {}});
      if (repair && os().unlink(path) == 0) ++verified.repaired;
    }
  }
}

}  // namespace

Result<Verified> verify_cache(const std::string& store, bool repair) {
  Verified verified;
  const std::string path = store + "/cache.db";
  FileInfo info;
  if (os().stat(path, info) != 0) return fail(ErrorKind::not_found, "there is no cache here", path);
  if (const auto damage = damage_of(store)) {
    verified.problems.push_back({path, -1, *damage, "the cache can be thrown away: verify --repair begins it anew"});
    if (repair) {
      for (const char* part : {"-wal", "-shm"}) os().unlink(path + part);
      if (os().rename(path, path + ".damaged") != 0)
        return tl::unexpected(os_error(errno, "set the damaged cache aside", path));
      ++verified.repaired;
    }
    return verified;
  }
  auto cache = ArtifactCache::open(store, {.record = false});
  if (!cache) return tl::unexpected(cache.error());
  auto& impl = (*cache)->impl();
  std::set<std::int64_t> bad;
  check_blobs(impl, verified, bad);
  const auto broken = broken_entries(impl, bad, verified);
  if (repair && !broken.empty()) {
    auto dropped = drop_all(impl, broken, Gone::damaged);
    if (!dropped) return tl::unexpected(dropped.error());
    verified.repaired += dropped->entries;
  }
  check_files(impl, repair, verified);
  return verified;
}

}  // namespace keyhole
