// SPDX-License-Identifier: Apache-2.0
// What this process was served, kept in memory from the second time on, and how it knows that the store is unchanged.
//
// Every commit to a database in WAL mode changes the header of its wal-index, 48 bytes of shared memory, twice
// (sqlite.org/walformat.html, section 2.1). SQLite itself takes its page cache for valid as long as they are equal; so
// is what was read here. Looking at them takes no lock and no system call, while a read transaction takes and gives
// back a lock of the file, which is half of what a bare SELECT costs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "keyhole/base/digest.h"
#include "keyhole/base/records.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

/// The header of the wal-index. Equal: no transaction was committed in between.
using LogState = std::array<std::uint64_t, 6>;

/// Sees the wal-index of one database, as long as it lives. Any number of threads.
class LogWatch {
 public:
  /// A connection of its own, since SQLite unmaps the memory with the last one.
  explicit LogWatch(Db db);
  /// Absent while a commit is being written, or where the VFS gives no shared memory.
  [[nodiscard]] std::optional<LogState> state() const;

 private:
  Db db_;
  const std::uint64_t* header_ = nullptr;
};

/// A candidate of a key that holds no bundle.
struct KnownEntry {
  std::int64_t id = 0;
  std::string name, guard, metadata;
  std::int64_t cost = -1;
  Digest hash;  ///< of the content
  /// Checked when it was read. Null: its guard did not hold, so it was not.
  std::shared_ptr<const std::string> bytes;
};

/// The first candidates of a key, in their order, up to one that was served.
struct KnownKey {
  LogState state{};
  std::vector<KnownEntry> entries;
  [[nodiscard]] std::size_t size() const;
  /// The content of that hash; null: not held.
  [[nodiscard]] std::shared_ptr<const std::string> content(const Digest& hash) const;
};

/// Keys in two generations: when the young ones fill half of the limit they become the old ones, and what nobody asked
/// for since is dropped. Thread-safe.
class Recall {
 public:
  explicit Recall(std::size_t limit) : limit_(limit) {}

  /// Whether the key was served before, as far as can be told without storing it: then it is worth keeping.
  [[nodiscard]] bool again(std::uint64_t hash);
  [[nodiscard]] std::shared_ptr<const KnownKey> find(std::uint64_t hash, Layer layer, std::string_view key);
  void keep(std::uint64_t hash, Layer layer, std::string_view key, std::shared_ptr<const KnownKey> known);

  [[nodiscard]] static std::uint64_t hash_of(Layer layer, std::string_view key);

 private:
  struct Slot {
    Layer layer;
    std::string key;
    std::shared_ptr<const KnownKey> known;
  };
  using Generation = std::unordered_map<std::uint64_t, Slot>;
  void add(std::uint64_t hash, Slot slot);

  const std::size_t limit_;
  std::mutex mutex_;
  Generation young_, old_;
  std::size_t young_size_ = 0;
  std::array<std::uint32_t, 4096> served_{};  // by the low bits of the hash: the high ones
};

}  // namespace keyhole
