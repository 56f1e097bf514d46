// SPDX-License-Identifier: Apache-2.0
// From a path to records, whatever it is.
#pragma once

#include <functional>
#include <string>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"

namespace keyhole {

enum class SourceKind : std::uint8_t {
  unknown,        ///< nothing that Keyhole reads
  missing,        ///< there is no such path, or it may not be looked at
  folder,         ///< a folder that is no cache: it may hold sources
  trace,          ///< a structured trace (TORCH_TRACE), plain or compressed
  torch_log,      ///< TORCH_LOGS text, plain or compressed
  cache_folder,   ///< Inductor's
  triton_folder,  ///< Triton's
  mega_cache,     ///< a file of torch.compiler.save_cache_artifacts
  vllm_factors    ///< vLLM's cache_key_factors.json
};
[[nodiscard]] const char* name_of(SourceKind kind);  ///< "Inductor cache folder"

/// Looks at the content: names of a folder, the first bytes (decompressed) of a file. Never fails.
[[nodiscard]] SourceKind detect(const std::string& path);

struct ImportOptions {
  std::string location;  ///< the cache folder that is read is a copy of this one; empty: the same
  SnapshotMoment moment = SnapshotMoment::unknown;
  bool quick = false;    ///< cache folders: names, sizes and times alone
  bool growing = false;  ///< the program still runs: sources that end within a record are no problem
  /// Where a source has been taken in before, as far as that: it need not be read again. Both or none; Recorder has
  /// them.
  std::function<std::int64_t(const std::string& identity)> source_taken;
  std::function<void(const std::string& identity, std::int64_t size)> note_source;
  /// Bytes done and in all, of everything under the path; false: stop there. Empty: none.
  std::function<bool(std::int64_t done, std::int64_t total)> progress;
};

struct ImportSummary {
  std::int64_t traces = 0, logs = 0, folders = 0, mega_caches = 0, vllm = 0;  ///< sources read
  std::int64_t lookups = 0, entries = 0;
  std::int64_t problems = 0;     ///< handed to the sink
  std::int64_t passed_over = 0;  ///< files that are none of ours
  std::int64_t unchanged = 0;    ///< sources that were taken in before
  bool stopped = false;          ///< progress said so
};

/// Reads what `path` is, or everything under it where it is a plain folder: traces first, so that logs of the same
/// processes add to their lookups; then logs, caches, the rest. A cache folder's own files are not looked into twice.
/// What cannot be read becomes a problem of the sink, and reading goes on. Links to folders are not followed; 32 levels
/// and 1,000,000 files at most. An error only where nothing was: not_found, io, bad_input (nothing here is ours).
Result<ImportSummary> import_path(const std::string& path, const ImportOptions& options, ComponentPool& pool,
                                  RecordSink& sink);

}  // namespace keyhole
