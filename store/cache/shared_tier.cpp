// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/shared_tier.h"

#include <algorithm>

#include "keyhole/key/hash.h"
#include "keyhole/remote/redis.h"
#include "keyhole/remote/remote_cache.h"
#include "wire.h"

namespace keyhole {
namespace {

constexpr std::uint64_t kFormat = 1;

std::string remote_name(Layer layer, std::string_view key) {
  return std::to_string(static_cast<int>(layer)) + ":" + std::string(key);
}

}  // namespace

SharedTier::SharedTier(std::unique_ptr<RemoteCache> remote) : remote_(std::move(remote)) {}
SharedTier::~SharedTier() = default;

Result<std::unique_ptr<SharedTier>> SharedTier::open(const std::string& url, const std::string& secret) {
  auto options = RedisOptions::parse(url);
  if (!options) return tl::unexpected(options.error());
  return std::make_unique<SharedTier>(std::make_unique<RemoteCache>(
      "KeyholeRemoteCache", "keyhole-v1", std::make_shared<RedisBackend>(std::move(*options)), secret));
}

std::optional<FoundEntry> SharedTier::get(Layer layer, std::string_view key) {
  const auto record = remote_->get(remote_name(layer, key));
  if (!record || record->data.size() <= sizeof(Digest)) return std::nullopt;
  const std::string_view body = std::string_view(record->data).substr(0, record->data.size() - sizeof(Digest));
  if (wire::Reader(std::string_view(record->data).substr(body.size())).digest() != sha256(body)) return std::nullopt;
  wire::Reader in(body);
  if (in.number() != kFormat || in.number() != static_cast<std::uint64_t>(layer) || in.text() != key)
    return std::nullopt;
  FoundEntry found;
  found.guard = in.text();
  found.metadata = in.text();
  found.cost = in.integer();
  found.bytes = in.text();
  for (auto n = in.number(); n > 0 && in.ok(); --n) {
    const auto name = in.text();
    found.files.push_back({std::string(name), std::string(in.text())});
    if (!sound_file_name(name)) return std::nullopt;
  }
  if (!in.ok() || in.left() != 0) return std::nullopt;
  return found;
}

void SharedTier::put(const NewEntry& entry) {
  wire::Writer out;
  out.number(kFormat);
  out.number(static_cast<std::uint64_t>(entry.layer));
  for (const auto text : {entry.key, entry.guard, entry.metadata}) out.text(text);
  out.integer(entry.cost);
  out.text(entry.bytes);
  out.number(entry.files.size());
  for (const auto& file : entry.files) {
    out.text(file.name);
    out.text(file.bytes);
  }
  out.digest(sha256(out.bytes()));
  remote_->put(remote_name(entry.layer, entry.key), {out.take(), std::max<std::int64_t>(0, entry.cost) / 1'000'000});
}

}  // namespace keyhole
