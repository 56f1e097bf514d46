// SPDX-License-Identifier: Apache-2.0
// What the Reader gives back: records with their row ids. Plain structs, no SQL.
#pragma once

#include "keyhole/base/records.h"

namespace keyhole {

using RowId = std::int64_t;  ///< 0: none

struct RunRow {
  RowId id = 0;
  RunRecord record;  ///< `start` of a run that was imported, which tells none: the earliest time of what it holds
  std::int64_t processes = 0, lookups = 0, hits = 0, misses = 0, bypasses = 0;
};

struct ProcessRow {
  RowId id = 0, run = 0;
  ProcessRecord record;
};

struct CompileRow {
  RowId id = 0, process = 0;
  CompileRecord record;
};

/// A lookup with what stands around it. `record.components` is empty here: Reader::components(component_set) loads
/// them.
struct LookupRow {
  RowId id = 0, run = 0, process = 0;
  RowId compile = 0;        ///< 0: belongs to no known compile
  RowId component_set = 0;  ///< 0: components not recorded. Equal sets have equal ids.
  std::string run_name;
  std::int64_t run_order = 0;  ///< position of the run in time; a lower one is earlier
  std::optional<int> rank;
  std::string cache_dir;  ///< of the process
  std::string function, filename;
  std::int64_t line = -1;
  LookupRecord record;
};

/// One component of a set, or of a difference between two sets.
struct ComponentChange {
  ComponentPtr before = nullptr;  ///< null: only in the later set
  ComponentPtr after = nullptr;   ///< null: only in the earlier set
};

struct SnapshotRow {
  RowId id = 0;
  RowId run = 0;  ///< the run it was taken for; 0: imported by itself
  SnapshotRecord record;
  std::int64_t entries = 0;
  /// The newest run in the store when the snapshot was taken in. Copying gives files new times; then this alone tells
  /// which runs came after it.
  RowId newest_run = 0;
};

/// What remains of an entry that was thrown out of the store's own cache.
struct TombstoneRow {
  Layer layer = Layer::fx_graph;
  std::string key;
  std::string reason;  ///< "size", "age", "removed", "damaged"
  Nanoseconds time = kUnknownTime;
  std::int64_t size = 0;
};

struct EntryRow {
  RowId id = 0, snapshot = 0;
  RowId component_set = 0;
  EntryRecord record;     ///< components empty, as in LookupRow
  RowId location_id = 0;  ///< of lists of entries: EntryPlace::location
  std::string location;   ///< of lists of entries: the folder; "(store)": the store's own cache
};

}  // namespace keyhole
