// SPDX-License-Identifier: Apache-2.0
#include "stored_entries.h"

#include <iterator>
#include <nlohmann/json.hpp>

#include "json_output.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"

using nlohmann::json;

namespace keyhole::cli {

std::int64_t file_size(const std::string& path) {
  FileInfo info;
  return os().stat(path, info) == 0 ? info.size : 0;
}

Result<std::vector<CachedEntry>> stored_entries(const std::string& store, std::optional<Layer> layer,
                                                const std::string& key) {
  constexpr std::size_t kPage = 1000;
  std::vector<CachedEntry> out;
  if (file_size(store + "/cache.db") == 0) return out;
  CacheOptions options;
  options.record = false;
  auto cache = ArtifactCache::open(store, options);
  if (!cache) return tl::make_unexpected(cache.error());
  for (;;) {
    auto page = cached_entries(**cache, layer, key, out.empty() ? 0 : out.back().id, kPage);
    if (!page) return tl::make_unexpected(page.error());
    const bool last = page->size() < kPage;
    out.insert(out.end(), std::move_iterator(page->begin()), std::move_iterator(page->end()));
    if (last) return out;
  }
}

json to_json(const CachedEntry& e) {
  return {{"entry", e.id},
          {"location", nullptr},
          {"layer", name_of(e.layer)},
          {"key", e.key},
          {"name", e.name},
          {"state", "ok"},
          {"size", e.size},
          {"files", e.files},
          {"created", time_json(e.created)},
          {"last_use", time_json(e.last_use)},
          {"hits", e.hits},
          {"guard", text_or_null(e.guard)},
          {"cost_seconds", seconds_json(e.cost)}};
}

}  // namespace keyhole::cli
