// SPDX-License-Identifier: Apache-2.0
// While a program is recorded, its traces lie in a folder of their own below the store:
//
//   <store>/spool/<start>-<pid>/lock       held (flock) as long as the recorder lives
//                               run.json   the run, and where its traces are written
//                               trace/     TORCH_TRACE, unless the user has set that
//                               torch.log  TORCH_LOGS_OUT, unless the user has set that
//
// When the recorder has taken everything in, it removes the folder. A folder whose lock nobody holds was left by a
// recorder that was killed: whoever opens the store next takes it in. So the death of a recorder loses nothing.
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/records.h"

namespace keyhole::cli {

class Spool {
 public:
  /// A new one for `run`; the parents are created.
  static Result<Spool> create(const std::string& store, const RunRecord& run);
  /// Those that killed recorders have left, each now locked by us, oldest first. Cheap where there are none.
  static std::vector<Spool> abandoned(const std::string& store);

  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&&) = delete;
  ~Spool();  ///< lets go of the lock; the folder stays

  [[nodiscard]] const RunRecord& run() const { return run_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }

  /// Variables to set for the program: TORCH_TRACE and TORCH_LOGS_OUT, where the user has not set them.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment() const;
  /// Trace files that the program has written so far. Those that stood in the user's own folder before are not among
  /// them.
  [[nodiscard]] std::vector<std::string> trace_files() const;
  /// What PyTorch has warned of; empty where it has not, or where the user's own log had content before.
  [[nodiscard]] std::string log_file() const;
  /// What to read when the recorder is gone: the spool as a whole, since a log adds to the lookups of the traces beside
  /// it, and the user's own files.
  [[nodiscard]] std::vector<std::string> leftovers() const;
  /// All is in the store: removes the folder (a user's own traces stay).
  void remove();

 private:
  Spool() = default;
  static Result<Spool> read(const std::string& folder, int lock);
  [[nodiscard]] Result<void> write_run() const;

  std::string folder_;
  RunRecord run_;
  std::string trace_folder_, log_file_;
  bool own_trace_ = true, own_log_ = true;
  std::vector<std::string> known_;  ///< names in a user's own trace folder at the start
  std::int64_t log_begin_ = 0;      ///< size of a user's own log at the start
  int lock_ = -1;
};

}  // namespace keyhole::cli
