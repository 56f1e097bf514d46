// SPDX-License-Identifier: Apache-2.0
// A process's own file of events: what it looked up and what it stored. Appending one takes no lock that another
// process could hold and makes no system call; whoever opens the store next takes the events in (absorb.cpp).
//
//   file  = "KHJ1" 4 zero bytes, frame*, zero bytes to the end
//   frame = length (u32, of the payload), crc32c of the payload (u32), payload, zero bytes up to a multiple of 8
//   payload = kind (number), then per kind, in the notation of wire.h:
//     1 process  identity host pid start run argc argv* cwd rank+1 (0: none) cache_dir
//     2 group    digest count (name digest text)*
//     3 lookup   LookupEvent, in the order of its members
//     4 put      PutEvent, in the order of its members
//
// The first frame is the process. The file is mapped into memory: a frame is there when its length is, which is stored
// last, so that the death of the process between two instructions leaves no half of one. The blocks are allocated
// before they are mapped (a full disk is an error code then, not a signal). The owner holds flock(2) as long as it
// lives. Rejected: write(2) for each event, 1.1 µs against 0.15 µs; a table in cache.db, which makes every hit a
// writer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/base/records.h"

namespace keyhole {

struct LookupEvent {
  Layer layer = Layer::fx_graph;
  Outcome outcome = Outcome::miss;
  std::uint64_t ordinal = 0;
  Nanoseconds time = kUnknownTime, duration = -1, saved = -1;
  std::int64_t entry = 0;  ///< its row in cache.db; 0: none
  CompileId compile;
  std::string_view key, status, guard, reason, load_error;
  bool cache_off = false;
  std::span<const Digest> groups;  ///< of its components; empty: not given
};

/// Views the record; its components are given to the journal beside it.
[[nodiscard]] LookupEvent event_of(const LookupRecord& lookup);

/// What a put adds to the lookup before it of the same key.
struct PutEvent {
  Layer layer = Layer::fx_graph;
  std::uint64_t ordinal = 0;  ///< of that lookup
  bool looked_up = false;     ///< whether there was one in this process
  Nanoseconds time = kUnknownTime, cost = -1;
  std::int64_t entry = 0;
  std::string_view key, save_error;
  std::span<const Digest> groups;
};

/// Components of one group (key/debug_line.h) that stand together.
struct ComponentRun {
  Digest digest;  ///< over the names and digests of its members, not their texts
  std::span<const ComponentPtr> members;
};
/// Cuts a key's components where the group changes. The spans point into `components`.
std::vector<ComponentRun> runs_of(std::span<const ComponentPtr> components);
/// digest count (name digest text)*, as wire.h writes them.
std::string encode_run(const ComponentRun& run);
/// Appends the members to `out`; false where the bytes are not that.
bool decode_run(std::string_view bytes, ComponentPool& pool, std::vector<ComponentPtr>& out);

class Journal {
 public:
  /// The journal of this process for a store, made on first use. A fork has one of its own. Never fails: where the file
  /// cannot be made or has no room, events are dropped and counted.
  static std::shared_ptr<Journal> of_process(const std::string& store);
  ~Journal();

  /// Appends; sets the ordinal of the event. Thread-safe.
  void lookup(LookupEvent event, std::span<const ComponentRun> runs);
  void put(PutEvent event, std::span<const ComponentRun> runs);
  [[nodiscard]] std::uint64_t dropped() const;  ///< events that had no room on the disk

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Calls `frame` with kind and body of each frame behind `offset` and gives the offset behind the last whole one. Stops
/// silently at the end, at a frame that is not complete, or where `frame` gives false.
std::size_t read_journal(std::string_view file, std::size_t offset,
                         const std::function<bool(std::uint64_t kind, std::string_view body)>& frame);

inline constexpr std::size_t kJournalHeader = 8;

/// Counts forks: a connection or a journal of another generation belongs to the parent.
[[nodiscard]] std::uint64_t fork_generation();

}  // namespace keyhole
