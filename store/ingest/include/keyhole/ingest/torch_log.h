// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"

namespace keyhole {

class LookupIndex;

struct LogOptions {
  std::size_t max_message = std::size_t{64} << 20;  ///< longer messages are cut
  /// Bytes of the file taken and its size; false ends the reading early.
  std::function<bool(std::int64_t taken, std::int64_t size)> progress;
};

struct LogSummary {
  std::uint64_t bytes = 0;    ///< of content read (decompressed)
  std::uint64_t lines = 0;    ///< that are of PyTorch's log; all others are the program's own and passed over
  std::uint64_t lookups = 0;  ///< lookups that the log told or added to
  std::uint64_t processes = 0;
  bool stopped = false;
};

/// Reads what a program under TORCH_LOGS wrote to stderr, plain or compressed: the loggers torch._inductor.codecache,
/// torch._functorch._aot_autograd.autograd_cache and torch._inductor.remote_cache. They tell what no trace tells:
/// AOTAutograd's components (at DEBUG), why an entry could not be loaded or saved (at WARNING, so without any setting),
/// and why there is no remote cache.
///
/// A process is "log:<SHA-256 of the first KiB of the content>:<pid>". A log numbers the lookups of a key as a trace
/// does, from the lines that tell their outcome (INFO); its outcomes know no guard_miss, and `status` is empty.
/// With `known`, the lookups of traces that were read before: then its lines add to the rows of the same process there
/// (components, load_error, save_error; nothing else is touched), and warnings without a key find their lookup by
/// compile and time. Without it, a warning that no other line gives a key becomes a lookup without one.
Result<LogSummary> read_torch_log(const std::string& path, const LogOptions& options, ComponentPool& pool,
                                  RecordSink& sink, const LookupIndex* known = nullptr);

/// Whether one of the lines in `head`, whole or cut at its end, is of PyTorch's log.
bool looks_like_torch_log(std::string_view head);

}  // namespace keyhole
