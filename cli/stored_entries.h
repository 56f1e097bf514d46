// SPDX-License-Identifier: Apache-2.0
// The store's own cache, as commands that only look see it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "keyhole/cache/maintenance.h"

namespace keyhole::cli {

/// All entries of cache.db; none where there is no cache.db.
Result<std::vector<CachedEntry>> stored_entries(const std::string& store, std::optional<Layer> layer,
                                                const std::string& key);
nlohmann::json to_json(const CachedEntry& entry);

/// Bytes of a file; 0 where it is not there.
std::int64_t file_size(const std::string& path);

}  // namespace keyhole::cli
