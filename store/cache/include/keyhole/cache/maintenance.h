// SPDX-License-Identifier: Apache-2.0
// Upkeep of the artifacts of a store: what is in it, what is thrown out, what is damaged, what the journals tell.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/records.h"

namespace keyhole {

class ArtifactCache;
struct NamedFile;

/// Takes the events of the journals into the history and the last uses into cache.db, for at most about `budget`.
/// Journals of living processes are read as far as they are written, or left alone; those of dead ones are removed once
/// all of them is in. Only one process at a time does it: where another is at it, nothing happens. Gives how many
/// events were taken in.
Result<std::int64_t> take_in_journals(ArtifactCache& cache, std::chrono::milliseconds budget,
                                      bool of_the_living = true);
/// The same of a folder; nothing where it holds no journal. For programs that read the history.
Result<std::int64_t> take_in_journals(const std::string& store, std::chrono::milliseconds budget);

struct CachedEntry {
  std::int64_t id = 0;
  Layer layer = Layer::fx_graph;
  std::string key, name, guard, metadata;
  std::int64_t files = 0, size = 0;  ///< files of the bundle; bytes of content
  Nanoseconds created = kUnknownTime, cost = -1;
  Nanoseconds last_use = kUnknownTime;  ///< as far as the journals were taken in; unknown: never served
  std::int64_t hits = 0;
};
/// In the order of their ids, behind `after`. All layers where `layer` is absent; all keys where `key` is empty.
Result<std::vector<CachedEntry>> cached_entries(ArtifactCache& cache, std::optional<Layer> layer, std::string_view key,
                                                std::int64_t after, std::size_t limit);

/// What an entry holds, to be shown: its content under an empty name, then the files of its bundle; what is longer than
/// `most` bytes, or damaged, is left out. Notes no use.
Result<std::vector<NamedFile>> cached_contents(ArtifactCache& cache, std::int64_t entry, std::int64_t most);

struct Tombstone {
  Layer layer = Layer::fx_graph;
  std::string key, name;
  std::string reason;  ///< "size", "age", "removed", "damaged"
  Nanoseconds time = kUnknownTime, created = kUnknownTime;
  std::int64_t size = 0;
};
/// Newest first. All where `key` is empty.
Result<std::vector<Tombstone>> tombstones(ArtifactCache& cache, std::string_view key, std::size_t limit);

struct CacheSize {
  std::int64_t entries = 0, content = 0;  ///< bytes of all entries' content
  std::int64_t stored = 0;                ///< bytes of their blobs on the disk: each content once, compressed
};
Result<CacheSize> cache_size(ArtifactCache& cache);

struct EvictionLimits {
  std::int64_t max_size = -1;                            ///< bytes stored; -1: no limit
  std::optional<std::chrono::nanoseconds> max_age = {};  ///< since the last use, or the put where there was none
  bool dry_run = false;
};
struct Evicted {
  std::int64_t entries = 0, bytes = 0;  ///< bytes stored that became free
};
/// Throws out what is too old, then what was used longest ago until the size holds; each leaves a tombstone. Writes in
/// short transactions: puts of other processes go on meanwhile.
Result<Evicted> evict(ArtifactCache& cache, const EvictionLimits& limits);

struct Verified {
  std::int64_t entries = 0, blobs = 0, bytes = 0;  ///< what was looked at
  std::vector<Problem> problems;
  std::int64_t repaired = 0;
};
/// Reads everything and checks SHA-256. With `repair`, entries that cannot be served are removed (tombstone "damaged")
/// and files that nothing names are unlinked. A database that SQLite itself finds damaged is set aside as
/// cache.db.damaged and begun anew by the next open: it can be thrown away.
Result<Verified> verify_cache(const std::string& store, bool repair);

}  // namespace keyhole
