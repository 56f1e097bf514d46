// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/records.h"

namespace keyhole {

class Hints;

struct CacheOptions {
  /// A put is on the disk when it returns (synchronous FULL). Without it a put survives the death of the process, not
  /// that of the power: then the newest puts may be gone, never damaged.
  bool durable = false;
  bool record = true;  ///< note lookups and puts in the journal, from which the history is made
  /// Open nothing for writing, make nothing and take no journal in: for a process that lives for one get. Then `open`
  /// fails nowhere, and every get misses where there is no store.
  bool only_read = false;
  bool distrust = false;  ///< check SHA-256 on every read, not only the CRC-32C
  /// Bytes stored (each content once, compressed). A put that goes beyond throws out what was used longest ago, at most
  /// 16 entries at a time, never what it has put; tombstones remain. Others' puts are noticed after a 64th of it. -1:
  /// no limit.
  std::int64_t max_size = -1;
  bool torch_compat = false;  ///< the quirks of PyTorch 2.13 where ours differs; each is named where it acts
  std::chrono::milliseconds get_patience{
      50};  ///< a get that waits longer for a lock is a miss with reason lock_timeout
  std::chrono::milliseconds put_patience{5000};
  std::size_t inline_limit = std::size_t{256}
                             << 10;  ///< content above it is a file in blobs/; measured: docs/why-sqlite.md
  /// Bytes of memory for entries of up to 64 KiB that this process was served before: as long as nobody commits to the
  /// store they are served from there. 0: none; nor with `distrust`.
  std::size_t recall_limit = std::size_t{64} << 20;
  std::size_t compress_over = std::size_t{256} << 10;  ///< content above it is compressed where that saves a quarter
};

/// One file of a bundle. Names are relative, without "..": "kernel.cubin", "a/b.json".
struct NamedFile {
  std::string name, bytes;
};

[[nodiscard]] bool sound_file_name(std::string_view name);

/// What a put stores, as one transaction: after a kill or a full disk all of it is there or none.
struct NewEntry {
  Layer layer = Layer::fx_graph;
  std::string_view key = {};
  std::string_view guard =
      {};  ///< expression as in keyhole/guard/expression.h; empty: holds always. See join_guard_clauses
  std::string_view bytes = {};
  std::span<const NamedFile> files = {};
  std::string_view metadata = {};                 ///< a JSON object, shown and searched, not interpreted; empty: none
  std::span<const ComponentPtr> components = {};  ///< what the key was made of; empty: not known
  Nanoseconds cost = -1;                          ///< compile time that a hit saves
};

struct Stored {
  std::string name;    ///< compact hash of the content: with the key it names the entry
  bool added = false;  ///< false: the same content was there under this key already
};

/// An entry that was found.
struct FoundEntry {
  std::int64_t id = 0;  ///< its row; 0: it came from beyond the store
  std::string name = {}, guard = {}, bytes = {}, metadata = {};
  std::vector<NamedFile> files = {};
  Nanoseconds cost = -1;
};

/// What a lookup gave. Not being found is no error; `reason` says what kept an entry from being served.
struct CacheLookup {
  Outcome outcome = Outcome::miss;
  std::string status = "full_miss";  ///< "hit", "guard_miss", "full_miss"
  std::string guard;                 ///< of the hit, or the last that failed; empty: none was evaluated
  std::string reason;  ///< "lock_timeout", "guard cannot be evaluated: …", "entry …: damaged"; empty: nothing to say
  bool local = false;  ///< found in this store
  FoundEntry entry;    ///< only of a hit
  [[nodiscard]] bool hit() const { return outcome == Outcome::hit; }
};

struct LookupRequest {
  Layer layer = Layer::fx_graph;
  std::string_view key = {};
  const Hints* hints = nullptr;                   ///< null: no hints, so every guard that needs one fails
  std::span<const ComponentPtr> components = {};  ///< for the history of a miss; those of a hit come from its entry
  CompileId compile = {};
  bool local = true;         ///< false: do not look into this store
  bool skip_guards = false;  ///< UNSAFE: every guard counts as true
  /// Asked when nothing in this store holds; what it gives is the last candidate, under its own guard.
  std::function<std::optional<FoundEntry>()> beyond = {};
  /// Asked for each candidate whose guard holds; false refuses it: the lookup ends as a guard_miss without an entry.
  std::function<bool(const FoundEntry&)> accept = {};
};

/// The store of artifacts: `cache.db`, `blobs/` and `journal/` of a store folder. A key may hold several entries, told
/// apart by their guards; they are tried in the order of their names, and the first whose guard holds is served.
///
/// A hit takes no lock that a writer could hold and writes no row. Any number of threads and processes may use one
/// store; a fork opens its own connections on first use. No function throws; none lets "database is locked" out.
class ArtifactCache {
 public:
  /// Makes the folder and the database where they are missing. Takes in the journals of dead processes, for at most
  /// 50 ms. unsupported on a network filesystem or for a newer format.
  static Result<std::unique_ptr<ArtifactCache>> open(const std::string& store, const CacheOptions& options = {});
  ~ArtifactCache();
  ArtifactCache(const ArtifactCache&) = delete;
  ArtifactCache& operator=(const ArtifactCache&) = delete;

  Result<Stored> put(const NewEntry& entry);
  [[nodiscard]] CacheLookup get(const LookupRequest& request);

  /// Notes a lookup that never came to the store (bypass, cache off) or that failed in the caller's hands.
  void note(const LookupRecord& lookup);

  /// What an entry's key was made of, as it was put; empty where that was not given. Owned by `pool`.
  Result<std::vector<ComponentPtr>> components(std::int64_t entry, class ComponentPool& pool);

  /// Removes the entries of a key (all of the layer where `key` is empty); tombstones remain. Gives how many.
  Result<std::int64_t> remove(Layer layer, std::string_view key);

  [[nodiscard]] const std::string& store() const;
  [[nodiscard]] const CacheOptions& options() const;
  struct Impl;
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  explicit ArtifactCache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyhole
