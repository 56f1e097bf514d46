// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "keyhole/base/error.h"
#include "keyhole/base/sink.h"
#include "keyhole/db/rows.h"

namespace keyhole {

/// Writes records into a store. Batches them into transactions of at most about 50 ms and commits when the batch is
/// full, on checkpoint() and on commit(). What was committed survives the death of the process. A failed write is
/// remembered: later calls do nothing and commit() reports it; what was committed before stays. One thread at a time;
/// several processes may record into one store.
class Recorder : public RecordSink {
 public:
  /// Opens the store, creating it where there is none. busy after 5 s of another's lock; unsupported on a network
  /// filesystem or where the store is newer than this program.
  /// `durable` false: nothing is made to reach the disk (for a TemporaryStore).
  static Result<std::unique_ptr<Recorder>> open(const std::string& store, bool durable = true);
  ~Recorder() override;

  /// What follows belongs to this run: the one of that name, or a new one. Fields that are set replace.
  virtual Result<RowId> begin_run(const RunRecord& run) = 0;
  /// Updates the present run (end, exit status).
  virtual Result<void> update_run(const RunRecord& run) = 0;
  /// Makes everything so far durable against the death of the process. Ends the snapshot that was begun last: what it
  /// did not name is no longer in its location.
  virtual Result<void> commit() = 0;

  /// How many bytes of a source were taken in before; 0: none. `identity`: the digest of its first bytes. A reader that
  /// finds the source no larger than that need not read it again.
  virtual std::int64_t source_taken(std::string_view identity) = 0;
  /// Notes that `size` bytes of it are taken in; durable together with the records before it.
  virtual void note_source(std::string_view identity, std::int64_t size) = 0;
  /// Whether nothing failed so far, without committing.
  [[nodiscard]] virtual Result<void> status() const = 0;
};

}  // namespace keyhole
