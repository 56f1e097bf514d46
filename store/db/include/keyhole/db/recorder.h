// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "keyhole/base/error.h"
#include "keyhole/base/sink.h"
#include "keyhole/db/rows.h"

namespace keyhole {

/// Writes records into a store. Batches them into transactions of at most about 50 ms and commits when the batch is full,
/// on checkpoint() and on commit(). What was committed survives the death of the process. A failed write is remembered:
/// later calls do nothing and commit() reports it; what was committed before stays.
/// One thread at a time; several processes may record into one store.
class Recorder : public RecordSink {
 public:
  /// Opens the store, creating it where there is none. busy after 5 s of another's lock; unsupported on a network
  /// filesystem or where the store is newer than this program.
  static Result<std::unique_ptr<Recorder>> open(const std::string& store);
  ~Recorder() override;

  /// What follows belongs to this run: the one of that name, or a new one. Fields that are set replace.
  virtual Result<RowId> begin_run(const RunRecord& run) = 0;
  /// Updates the present run (end, exit status).
  virtual Result<void> update_run(const RunRecord& run) = 0;
  /// Makes everything so far durable against the death of the process.
  virtual Result<void> commit() = 0;
};

}  // namespace keyhole
