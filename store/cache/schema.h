// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "keyhole/base/error.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

/// "KyCa" in the header of cache.db (SQLite's application_id).
inline constexpr std::int64_t kCacheApplicationId = 0x4b794361;
extern const int kCacheVersion;  ///< newest version that this program knows (SQLite's user_version)

struct CacheFile {
  bool writes = false;   ///< a connection for writing
  bool durable = false;  ///< synchronous FULL
  int busy_ms = 5000;
};
/// Opens cache.db of a store; makes folder and file, and migrates, where `writes`. Errors as open_history's.
Result<Db> open_cache(const std::string& store, const CacheFile& options);

}  // namespace keyhole
