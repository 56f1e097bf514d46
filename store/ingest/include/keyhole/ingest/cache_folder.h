// SPDX-License-Identifier: Apache-2.0
// Inductor's cache folder (TORCHINDUCTOR_CACHE_DIR), read while others write to it: no lock, nothing changed.
//
//   fxgraph/<k[1:3]>/<key>/<digest>      pickled CompiledFxGraph, one for each guard
//   aotautograd/<key>/<digest>           pickled AOTAutogradResult, one for each guard
//   <xx>/<key>.<ext>                     code: .py, .cpp, .main.cpp, .so, ...; <xx>/<hex>.best_config: Triton
//   autotuning cache/<sha256 of the system>         autotuning, JSON triton/<device>/<hash>/              Triton's
//   kernels dynamo/code_state_*.pkl, dynamo/<id>/entry locks/                               empty
//
// Names that begin with a dot are files being written (PyTorch renames them when whole) and are passed over.
#pragma once

#include <functional>
#include <string>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"

namespace keyhole {

struct FolderOptions {
  std::string location;  ///< the folder as the program knew it, where the one that is read is a copy; empty: the same
  SnapshotMoment moment = SnapshotMoment::unknown;
  /// Only what stat tells (key, name, size, time): for a snapshot of a large live folder. No entry is judged damaged.
  bool quick = false;
  std::int64_t max_file = std::int64_t{1} << 30;  ///< a larger file is listed, not decoded
  std::int64_t max_entries = 5'000'000;
  /// Called between files with bytes done and in all; false: stop there. Empty: none.
  std::function<bool(std::int64_t, std::int64_t)> progress;
};

struct FolderSummary {
  std::int64_t files = 0;  ///< all that were found, locks and files being written not counted
  std::int64_t entries = 0, damaged = 0, unreadable = 0, vanished = 0;
  std::int64_t bytes_decoded = 0;  ///< of the pickles and JSON files that were read to their last byte
  std::int64_t passed_over = 0;    ///< of an unknown kind
  bool stopped = false;            ///< progress said so
};

/// Looks at names only.
[[nodiscard]] bool is_cache_folder(const std::string& folder);
/// A folder of Triton kernels: <hash>/<files>, or <device>/<hash>/<files>.
[[nodiscard]] bool is_triton_folder(const std::string& folder);

/// Emits one snapshot and its entries. Its time is that of the newest modification in the folder, deletions included:
/// the content is that of any time since. Damaged and unreadable files are entries in that state and problems as well.
/// An error only where the folder itself cannot be listed.
Result<FolderSummary> read_cache_folder(const std::string& folder, const FolderOptions& options, ComponentPool& pool,
                                        RecordSink& sink);
Result<FolderSummary> read_triton_folder(const std::string& folder, const FolderOptions& options, ComponentPool& pool,
                                         RecordSink& sink);

}  // namespace keyhole
