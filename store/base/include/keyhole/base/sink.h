// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keyhole/base/records.h"

namespace keyhole {

/// Where readers put what they read. The Recorder of store/db is one; tests use a vector.
///
/// Recording the same thing twice changes nothing: processes are known by `identity`, compiles by their id, lookups by
/// (process, layer, key, ordinal). So a source that has grown is simply read again. Fields that are unset ("" or -1)
/// leave what was recorded before; set ones replace it.
class RecordSink {
 public:
  using ProcessId = std::int64_t;
  using SnapshotId = std::int64_t;

  virtual ~RecordSink() = default;

  /// Declares a process (or adds to what is known of it) and gives the handle for the calls below.
  virtual ProcessId process(const ProcessRecord& record) = 0;
  virtual void compile(ProcessId process, const CompileRecord& record) = 0;
  virtual void symbol(ProcessId process, const SymbolRecord& record) = 0;
  virtual void text(ProcessId process, const TextRecord& record) = 0;
  virtual void lookup(ProcessId process, const LookupRecord& record) = 0;

  virtual SnapshotId begin_snapshot(const SnapshotRecord& record) = 0;
  virtual void entry(SnapshotId snapshot, const EntryRecord& record) = 0;

  /// What could not be read.
  virtual void problem(const Problem& problem) = 0;

  /// A good moment to make durable what came so far (the sink decides).
  virtual void checkpoint() {}
};

}  // namespace keyhole
