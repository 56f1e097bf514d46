// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/maintenance.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "blobs.h"
#include "impl.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/db/upkeep.h"

namespace keyhole {
namespace {

constexpr std::size_t kTrimmed = 16;      // entries that one put throws out at most
constexpr std::size_t kCandidates = 256;  // that are looked for at once, since it needs a look at every entry

constexpr int kBatch = 64;  // entries a transaction: under 50 ms also where each has a bundle

constexpr std::int64_t kPause = 6'000'000;  // nanoseconds between two transactions: whoever waits to put gets the lock

const char* name_of(Gone reason) {
  switch (reason) {
    case Gone::size:
      return "size";
    case Gone::age:
      return "age";
    case Gone::removed:
      return "removed";
    case Gone::damaged:
      return "damaged";
  }
  return "unknown";
}

}  // namespace

Result<Evicted> drop_all(ArtifactCache::Impl& cache, const std::vector<Victim>& victims, Gone reason) {
  Evicted evicted;
  for (std::size_t at = 0; at < victims.size(); at += kBatch) {
    Writing writing(cache);
    if (!writing.ok()) return tl::unexpected(writing.error());
    Db& db = writing.db();
    std::vector<Digest> files;
    const std::size_t end = std::min(victims.size(), at + kBatch);
    std::int64_t freed = 0;
    {
      Transaction transaction(db);
      for (std::size_t i = at; i < end; ++i) freed += drop_entry(db, victims[i].id, reason, files);
      if (auto committed = transaction.commit(); !committed) return tl::unexpected(committed.error());
    }
    for (const auto& hash : files) unlink_blob_file(db, cache.store, hash);
    evicted.bytes += freed;
    evicted.entries += static_cast<std::int64_t>(end - at);
    db.exec("PRAGMA incremental_vacuum(500)");
    if (end < victims.size()) os().sleep(kPause);
  }
  return evicted;
}

Result<void> pass_on_tombstones(ArtifactCache::Impl& cache) {
  constexpr std::string_view kTaken = "tombstones";  // in table `journal`, beside how far the journals were taken in
  for (std::int64_t after = -1;;) {
    std::vector<TombstoneRow> rows;
    {
      Reading reading(cache);
      auto& db = reading.db();
      if (!db) return tl::unexpected(db.error());
      if (after < 0) after = taken_of(*db, kTaken);
      Query q(*db, "SELECT id, layer, key, reason, time, size FROM tombstone WHERE id > ? ORDER BY id LIMIT 1000",
              after);
      while (q.next()) {
        after = q.integer(0);
        rows.push_back({static_cast<Layer>(q.integer(1)), std::string(q.text(2)),
                        name_of(static_cast<Gone>(q.integer(3))), q.integer(4), q.integer(5)});
      }
      if (!db->ok()) return tl::unexpected(db->error());
    }
    if (rows.empty()) return {};
    if (auto noted = note_tombstones(cache.store, rows); !noted) return noted;
    Writing writing(cache);
    if (!writing.ok()) return tl::unexpected(writing.error());
    note_taken(writing.db(), kTaken, after);
  }
}

Result<std::int64_t> remove_entries(ArtifactCache::Impl& cache, Layer layer, std::string_view key) {
  std::vector<Victim> victims;
  {
    Reading reading(cache);
    auto& db = reading.db();
    if (!db) return tl::unexpected(db.error());
    Query q(*db, "SELECT id FROM entry WHERE layer = ?1 AND (?2 = '' OR key = ?2)", static_cast<std::int64_t>(layer),
            key);
    while (q.next()) victims.push_back({q.integer(0), 0});
    if (!db->ok()) return tl::unexpected(db->error());
  }
  auto dropped = drop_all(cache, victims, Gone::removed);
  if (!dropped) return tl::unexpected(dropped.error());
  return dropped->entries;
}

std::int64_t drop_entry(Db& db, std::int64_t id, Gone reason, std::vector<Digest>& files) {
  std::int64_t freed = 0;
  std::vector<std::pair<std::int64_t, Digest>> blobs;
  std::vector<std::int64_t> groups;
  {
    Query q(db,
            "SELECT b.id, b.hash FROM entry e JOIN blob b ON b.id = e.blob WHERE e.id = ?1 UNION "
            "SELECT b.id, b.hash FROM bundle_file f JOIN blob b ON b.id = f.blob WHERE f.entry = ?1",
            id);
    while (q.next()) blobs.emplace_back(q.integer(0), digest_of(q.text(1)));
    Query g(db, "SELECT component_group FROM entry_group WHERE entry = ?", id);
    while (g.next()) groups.push_back(g.integer(0));
  }
  Query(db,
        "INSERT INTO tombstone(layer, key, name, reason, time, created, size) "
        "SELECT layer, key, name, ?, ?, created, size FROM entry WHERE id = ?",
        static_cast<std::int64_t>(reason), os().now(), id)
      .run();
  Query(db, "DELETE FROM bundle_file WHERE entry = ?", id).run();
  Query(db, "DELETE FROM entry_group WHERE entry = ?", id).run();
  Query(db, "DELETE FROM use WHERE entry = ?", id).run();
  Query(db, "DELETE FROM entry WHERE id = ?", id).run();
  for (const auto& [blob, hash] : blobs) {
    const DroppedBlob dropped = drop_blob_row(db, blob);
    freed += dropped.stored;
    if (dropped.file) files.push_back(hash);
  }
  for (const auto group : groups)
    Query(db,
          "DELETE FROM component_group WHERE id = ?1 AND NOT EXISTS "
          "(SELECT 1 FROM entry_group WHERE component_group = ?1)",
          group)
        .run();
  return freed;
}

Result<std::vector<CachedEntry>> cached_entries(ArtifactCache& cache, std::optional<Layer> layer, std::string_view key,
                                                std::int64_t after, std::size_t limit) {
  Reading reading(cache.impl());
  auto& db = reading.db();
  if (!db) return tl::unexpected(db.error());
  std::vector<CachedEntry> entries;
  const std::int64_t which = layer ? static_cast<std::int64_t>(*layer) : 0;
  Query q(
      *db,
      "SELECT e.id, e.layer, e.key, e.name, e.guard, e.metadata, e.files, e.size, e.created, e.cost, u.last, u.hits "
      "FROM entry e LEFT JOIN use u ON u.entry = e.id WHERE e.id > ?1 AND (?2 = 0 OR e.layer = ?2) AND "
      "(?3 = '' OR e.key = ?3) ORDER BY e.id LIMIT ?4",
      after, which, key, static_cast<std::int64_t>(limit));
  while (q.next()) {
    CachedEntry e{q.integer(0),           static_cast<Layer>(q.integer(1)),
                  std::string(q.text(2)), std::string(q.text(3)),
                  std::string(q.text(4)), std::string(q.text(5)),
                  q.integer(6),           q.integer(7),
                  q.integer(8),           q.integer(9)};
    e.last_use = q.integer_or(10, kUnknownTime);
    e.hits = q.integer(11);
    entries.push_back(std::move(e));
  }
  if (!db->ok()) return tl::unexpected(db->error());
  return entries;
}

Result<std::vector<NamedFile>> cached_contents(ArtifactCache& cache, std::int64_t entry, std::int64_t most) {
  Reading reading(cache.impl());
  auto& db = reading.db();
  if (!db) return tl::unexpected(db.error());
  std::vector<NamedFile> contents;
  Query q(*db,
          "SELECT '', -1, " KEYHOLE_BLOB_COLUMNS
          " FROM entry e JOIN blob b ON b.id = e.blob WHERE e.id = ?1 UNION ALL "
          "SELECT f.name, f.position, " KEYHOLE_BLOB_COLUMNS
          " FROM bundle_file f JOIN blob b ON b.id = f.blob WHERE f.entry = ?1 ORDER BY 2",
          entry);
  while (q.next()) {
    const BlobRow row(q, 2);
    if (row.size > most) continue;
    if (auto bytes = load_blob(*db, cache.impl().store, row, false))
      contents.push_back({std::string(q.text(0)), std::move(*bytes)});
  }
  if (!db->ok()) return tl::unexpected(db->error());
  return contents;
}

Result<std::vector<Tombstone>> tombstones(ArtifactCache& cache, std::string_view key, std::size_t limit) {
  Reading reading(cache.impl());
  auto& db = reading.db();
  if (!db) return tl::unexpected(db.error());
  std::vector<Tombstone> all;
  Query q(*db,
          "SELECT layer, key, name, reason, time, created, size FROM tombstone WHERE ?1 = '' OR key = ?1 "
          "ORDER BY id DESC LIMIT ?2",
          key, static_cast<std::int64_t>(limit));
  while (q.next())
    all.push_back({static_cast<Layer>(q.integer(0)), std::string(q.text(1)), std::string(q.text(2)),
                   name_of(static_cast<Gone>(q.integer(3))), q.integer(4), q.integer(5), q.integer(6)});
  if (!db->ok()) return tl::unexpected(db->error());
  return all;
}

Result<CacheSize> cache_size(ArtifactCache& cache) {
  Reading reading(cache.impl());
  auto& db = reading.db();
  if (!db) return tl::unexpected(db.error());
  CacheSize size;
  size.entries = db->value("SELECT count(*) FROM entry").value_or(0);
  size.content = db->value("SELECT coalesce(sum(size), 0) FROM entry").value_or(0);
  size.stored = db->value("SELECT coalesce(sum(stored), 0) FROM blob").value_or(0);
  if (!db->ok()) return tl::unexpected(db->error());
  return size;
}

Result<Evicted> evict(ArtifactCache& cache, const EvictionLimits& limits) {
  auto& impl = cache.impl();
  static_cast<void>(take_in_journals(cache, std::chrono::seconds(30)));  // else what was served last would look unused
  std::vector<Victim> old, least_used;
  {
    Reading reading(impl);
    auto& db = reading.db();
    if (!db) return tl::unexpected(db.error());
    const auto size = db->value("SELECT coalesce(sum(stored), 0) FROM blob").value_or(0);
    const std::int64_t oldest =
        limits.max_age ? os().now() - limits.max_age->count() : std::numeric_limits<std::int64_t>::min();
    std::int64_t left = size;
    // What an entry frees: its blobs, unless others share them; shared ones are counted when the last user goes.
    Query q(
        *db,
        "SELECT e.id, max(e.created, coalesce(u.last, 0)) AS used, e.blob, b.stored, coalesce((SELECT sum(fb.stored) "
        "FROM bundle_file f JOIN blob fb ON fb.id = f.blob WHERE f.entry = e.id), 0), "
        "(SELECT count(*) FROM entry o WHERE o.blob = e.blob) + (SELECT count(*) FROM bundle_file o WHERE o.blob = "
        "e.blob) "
        "FROM entry e JOIN blob b ON b.id = e.blob LEFT JOIN use u ON u.entry = e.id ORDER BY used, e.id");
    std::unordered_map<std::int64_t, std::int64_t> shared;  // blob: users seen
    while (q.next()) {
      std::int64_t bytes = q.integer(4);
      if (q.integer(5) <= 1) {
        bytes += q.integer(3);
      } else if (++shared[q.integer(2)] == q.integer(5)) {
        bytes += q.integer(3);
      }
      const Victim victim{q.integer(0), bytes};
      if (q.integer(1) < oldest)
        old.push_back(victim);
      else if (limits.max_size >= 0 && left > limits.max_size)
        least_used.push_back(victim);
      else
        break;
      left -= bytes;
    }
    if (!db->ok()) return tl::unexpected(db->error());
  }
  if (limits.dry_run) {
    Evicted would;
    for (const auto* list : {&old, &least_used})
      for (const auto& victim : *list) would.entries += 1, would.bytes += victim.bytes;
    return would;
  }
  auto aged = drop_all(impl, old, Gone::age);
  if (!aged) return aged;
  auto sized = drop_all(impl, least_used, Gone::size);
  if (!sized) return sized;
  return Evicted{aged->entries + sized->entries, aged->bytes + sized->bytes};
}

void trim(ArtifactCache& cache, std::int64_t added, std::int64_t size) {
  auto& impl = cache.impl();
  auto& state = impl.process().trimming;
  const std::unique_lock lock(state.mutex, std::try_to_lock);
  if (!lock) return;  // another thread is at it
  const std::int64_t most = impl.options.max_size;
  state.size += size;
  if (state.unmeasured >= 0) state.unmeasured += size;
  if (state.unmeasured < 0 || state.unmeasured > most / 64) {
    const auto measured = cache_size(cache);
    if (!measured) return;
    state.size = measured->stored;
    state.unmeasured = 0;
  }
  if (state.size <= most) return;

  const char* const kUsed =
      "SELECT e.id, max(e.created, coalesce(u.last, 0)) AS used FROM entry e LEFT JOIN use u ON u.entry = e.id ";
  if (state.least_used.empty()) {
    static_cast<void>(take_in_journals(cache, std::chrono::milliseconds(50)));
    Reading reading(impl);
    if (!reading.db()) return;
    Query q(*reading.db(), kUsed + ("ORDER BY used, e.id LIMIT " + std::to_string(kCandidates)));
    while (q.next()) state.least_used.push_back({q.integer(0), q.integer(1)});
    std::reverse(state.least_used.begin(), state.least_used.end());
  }
  for (std::size_t n = 0; n < kTrimmed && state.size > most && !state.least_used.empty(); ++n) {
    const auto [id, used] = state.least_used.back();
    state.least_used.pop_back();
    {
      Reading reading(impl);
      if (!reading.db()) return;
      Query q(*reading.db(), kUsed + ("WHERE e.id = " + std::to_string(id)));
      if (id == added || !q.next() || q.integer(1) != used) continue;  // used since, or gone
    }
    const auto dropped = drop_all(impl, {{id, 0}}, Gone::size);
    if (!dropped) return;
    state.size -= dropped->bytes;
  }
}

}  // namespace keyhole
