// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/artifacts.h"

#include <algorithm>

#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

template <class List>
auto& slot(List& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.first == name; });
  if (found != list.end()) return found->second;
  return list.emplace_back(name, typename List::value_type::second_type{}).second;
}

tl::unexpected<Error> not_registered(const std::string& type) {
  return fail(ErrorKind::usage, "Artifact of type=" + type + " not registered in mega-cache artifact factory");
}

}  // namespace

void ArtifactInfo::add(const std::string& type, const std::string& key) {
  slot(types_, type).push_back(key);
}

const std::vector<std::string>& ArtifactInfo::keys(const std::string& type) const {
  static const std::vector<std::string> none;
  for (const auto& [name, keys] : types_)
    if (name == type) return keys;
  return none;
}

Result<void> ArtifactFactory::add(const std::string& type, PopulateArtifact populate) {
  if (!types_.emplace(type, std::move(populate)).second)
    return fail(ErrorKind::usage, "Artifact of type=" + type + " already registered in mega-cache artifact factory");
  return {};
}

const PopulateArtifact* ArtifactFactory::find(const std::string& type) const {
  const auto found = types_.find(type);
  return found == types_.end() ? nullptr : &found->second;
}

std::vector<std::string> ArtifactFactory::types() const {
  std::vector<std::string> names;
  for (const auto& [name, populate] : types_) names.push_back(name);
  return names;
}

Result<void> ArtifactManager::record(const std::string& type, const std::string& key, std::string_view content) {
  if (factory_.find(type) == nullptr) return not_registered(type);
  const std::string hash = sha256(content).hex();
  const std::scoped_lock lock(mutex_);
  if (!seen_.insert({{type, key}, hash}).second) return {};
  slot(pending_, type).emplace_back(key, content);
  return {};
}

bool ArtifactManager::need_serialize() const {
  const std::scoped_lock lock(mutex_);
  return !pending_.empty();
}

std::optional<SavedArtifacts> ArtifactManager::serialize() {
  const std::scoped_lock lock(mutex_);
  for (const auto& [type, artifacts] : pending_) {
    MegaCacheRecord record{type, {}};
    for (const auto& [key, content] : artifacts) {
      info_.add(type, key);
      record.items.push_back({key, content});
    }
    written_.append(record);
  }
  pending_.clear();
  if (info_.empty()) return {};
  return SavedArtifacts{written_.blob(), info_};
}

Result<std::vector<MegaCacheRecord>> ArtifactManager::deserialize(std::string_view blob) const {
  auto read = read_mega_cache(blob);
  if (!read) return read;
  std::vector<MegaCacheRecord> merged;
  for (auto& record : *read) {
    if (factory_.find(record.type) == nullptr) return not_registered(record.type);
    const auto same =
        std::find_if(merged.begin(), merged.end(), [&](const auto& other) { return other.type == record.type; });
    if (same == merged.end())
      merged.push_back(std::move(record));
    else if (torch_compat_)
      same->items = std::move(record.items);
    else
      same->items.insert(same->items.end(), record.items.begin(), record.items.end());
  }
  return merged;
}

Result<ArtifactInfo> ArtifactManager::load(std::string_view blob) {
  const auto records = deserialize(blob);
  if (!records) return tl::unexpected(records.error());
  ArtifactInfo info;
  for (const auto& record : *records) {
    const auto* populate = factory_.find(record.type);
    for (const auto& item : record.items)
      if ((*populate)(item.key, item.content)) info.add(record.type, item.key);
  }
  return info;
}

void ArtifactManager::clear() {
  const std::scoped_lock lock(mutex_);
  seen_.clear();
  pending_.clear();
  written_ = {};
  info_ = {};
}

}  // namespace keyhole
