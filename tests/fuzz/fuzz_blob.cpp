// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "keyhole/base/mega_cache_codec.h"
#include "keyhole/ingest/mega_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhole;
  const std::string_view blob(reinterpret_cast<const char*>(data), size);
  (void)looks_like_mega_cache(blob);
  const MegaCacheScan scan = scan_mega_cache(blob);
  if (scan.problem && scan.problem_offset > size) std::abort();
  MegaCacheWriter writer;
  for (const auto& record : scan.records) {
    for (const auto& item : record.items) {
      if (item.content.data() < blob.data() || item.content.data() + item.content.size() > blob.data() + size)
        std::abort();
    }
    writer.append(record);
  }
  // What was read, written, is read back the same, whatever the checksum of the input was.
  const std::string written = writer.blob();
  const auto again = read_mega_cache(written);
  if (!again || again->size() != scan.records.size()) std::abort();
  return 0;
}
