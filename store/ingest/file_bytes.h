// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "keyhole/base/records.h"

namespace keyhole {

/// A file of somebody else's live folder, read without a lock: it may change, vanish, or be no file at all.
struct FileBytes {
  EntryState state = EntryState::ok;  ///< never `damaged`: bytes are not judged here
  std::string reason;                 ///< "permission denied"; empty when ok
  bool too_large = false;             ///< beyond the limit: state ok, no bytes
  std::int64_t size = 0;
  Nanoseconds modified = kUnknownTime;
  std::string bytes;
};

FileBytes read_file_bytes(const std::string& path, std::int64_t limit);

/// The same without reading: `bytes` stays empty.
FileBytes stat_file_bytes(const std::string& path);

}  // namespace keyhole
