// SPDX-License-Identifier: Apache-2.0
// The bytes of a mega-cache file (torch.compiler.save_cache_artifacts, PyTorch 2.13):
//
//   file    = crc32 (4 bytes, zlib's polynomial, of everything behind it) version=1 record*
//   record  = text(type) count item*count
//   item    = text(key) bytes(content)
//   bytes   = length, raw
//   text    = bytes(standard base64 of the UTF-8)
//
// Every integer is big-endian; count, version and lengths have 64 bits. A type may occur in more than one record.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

struct MegaCacheItem {
  std::string key;
  std::string_view content;  ///< points into the blob that was read
};

struct MegaCacheRecord {
  std::string type;  ///< "inductor", "autotune", "aot_autograd", "pgo", "precompile", or a user's own
  std::vector<MegaCacheItem> items;
};

/// Reads a whole blob; the contents point into it. bad_input, with the offset, where it is too short, its checksum or
/// version is another, or it ends early. Memory is bounded by the size of the blob, whatever the counts in it say.
Result<std::vector<MegaCacheRecord>> read_mega_cache(std::string_view blob);

/// What can be read of a blob that may be damaged.
struct MegaCacheScan {
  std::vector<MegaCacheRecord> records;  ///< all that stood before the damage; the last may lack items
  std::optional<Error> problem;          ///< the first; absent: as read_mega_cache would have given it
  std::size_t problem_offset = 0;
  bool last_item_cut = false;  ///< of the last item of the last record only the beginning is there
};
[[nodiscard]] MegaCacheScan scan_mega_cache(std::string_view blob);

/// Appends records and gives the blob of all so far.
class MegaCacheWriter {
 public:
  void append(const MegaCacheRecord& record);
  [[nodiscard]] bool empty() const { return body_.empty(); }
  [[nodiscard]] std::string blob() const;

 private:
  std::string body_;
};

}  // namespace keyhole
