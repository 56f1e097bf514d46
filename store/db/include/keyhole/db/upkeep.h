// SPDX-License-Identifier: Apache-2.0
// What keeps a store healthy: checking, mending, copying, forgetting.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/db/rows.h"

namespace keyhole {

/// What `verify` found. Nothing in `faults`: the store is sound.
struct VerifyReport {
  struct Fault {
    std::string what;
    bool mended = false;
  };
  std::vector<Fault> faults;
  std::int64_t texts = 0, component_sets = 0, lookups = 0;  ///< how many were checked
  std::string set_aside;  ///< where the damaged file was put, when its readable rows were moved to a new one
};

/// Checks history.db: SQLite's own structure, that every text unpacks, every component set can be put together, every
/// reference leads somewhere, and the counters of the runs are right. `repair`: indexes are built anew, what leads
/// nowhere is dropped, counters are corrected; a file whose structure is broken is set aside and its readable rows are
/// kept.
Result<VerifyReport> verify_history(const std::string& store, bool repair);

/// A consistent copy of history.db while others use it. `file` must not exist.
Result<void> backup_history(const std::string& store, const std::string& file);

struct ForgetReport {
  std::int64_t runs = 0, lookups = 0;
  std::int64_t bytes_before = 0, bytes_after = 0;  ///< size of history.db
};
/// Deletes runs with all that only they hold, then what nothing refers to any more, and gives the space back: all in
/// write transactions of about 25 ms with a pause behind each, so that others record meanwhile. Killed at any point it
/// leaves a sound store, and the next one goes on. busy: another process is at it. Keys that no run holds any more
/// leave a tombstone.
Result<ForgetReport> forget_runs(const std::string& store, const std::vector<RowId>& runs);

/// Notes in the history what was thrown out of the cache, so that a later miss is explained. The same twice adds
/// nothing.
Result<void> note_tombstones(const std::string& store, const std::vector<TombstoneRow>& rows);

/// Moves a damaged cache.db (with its log) out of the way: `cache.db.damaged-<time>`; history.db is not touched.
/// Gives the new name; not_found where there is no cache.db.
Result<std::string> set_cache_aside(const std::string& store);

}  // namespace keyhole
