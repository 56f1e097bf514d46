// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "keyhole/cache/artifact_cache.h"

namespace keyhole {

class RemoteCache;

/// Entries of an ArtifactCache on the tier that machines share: what one machine has put, another is served.
///
/// A value is a record of remote_cache.h, so that it can be signed; its data is, in the notation of wire.h: 1, layer,
/// key, guard, metadata, cost, content, count (name content)*, and the SHA-256 of all that. What is not that, or of
/// another key, is a miss. One entry a key: the last that was put. Nothing here fails or waits longer than the backend
/// does.
class SharedTier {
 public:
  /// `url` as RedisOptions::parse takes it; `secret` signs values (remote_cache.h), empty: none are signed.
  static Result<std::unique_ptr<SharedTier>> open(const std::string& url, const std::string& secret);
  explicit SharedTier(std::unique_ptr<RemoteCache> remote);
  ~SharedTier();

  std::optional<FoundEntry> get(Layer layer, std::string_view key);
  void put(const NewEntry& entry);

 private:
  std::unique_ptr<RemoteCache> remote_;
};

}  // namespace keyhole
