// SPDX-License-Identifier: Apache-2.0
#include "recall.h"

#include <sqlite3.h>

#include <atomic>
#include <functional>

namespace keyhole {
namespace {

constexpr int kRegion = 32768;  // of the wal-index; the header is at the start of the first

std::uint64_t word(const std::uint64_t* at) {
  return std::atomic_ref<std::uint64_t>(*const_cast<std::uint64_t*>(at)).load(std::memory_order_relaxed);
}

}  // namespace

LogWatch::LogWatch(Db db) : db_(std::move(db)) {
  if (!db_.value("SELECT count(*) FROM journal")) return;  // the first transaction maps the memory
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(db_.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == nullptr ||
      file->pMethods == nullptr || file->pMethods->iVersion < 2 || file->pMethods->xShmMap == nullptr)
    return;
  void volatile* region = nullptr;
  if (file->pMethods->xShmMap(file, 0, kRegion, 0, &region) != SQLITE_OK) return;
  header_ = static_cast<const std::uint64_t*>(const_cast<void*>(region));
}

std::optional<LogState> LogWatch::state() const {
  if (header_ == nullptr) return std::nullopt;
  LogState first, second;
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = word(header_ + i);
  std::atomic_thread_fence(std::memory_order_acquire);
  for (std::size_t i = 0; i < second.size(); ++i) second[i] = word(header_ + first.size() + i);
  std::atomic_thread_fence(std::memory_order_acquire);
  // The writer writes the second copy first: where both are the same, nobody was between them.
  if (first != second || first == LogState{}) return std::nullopt;
  return first;
}

std::size_t KnownKey::size() const {
  std::size_t size = sizeof *this;
  for (const auto& e : entries)
    size += sizeof e + e.name.size() + e.guard.size() + e.metadata.size() + (e.bytes ? e.bytes->size() : 0);
  return size;
}

std::shared_ptr<const std::string> KnownKey::content(const Digest& hash) const {
  for (const auto& e : entries)
    if (e.bytes && e.hash == hash) return e.bytes;
  return nullptr;
}

std::uint64_t Recall::hash_of(Layer layer, std::string_view key) {
  return std::hash<std::string_view>{}(key) + static_cast<std::uint64_t>(layer) * 0x9e3779b97f4a7c15U;
}

bool Recall::again(std::uint64_t hash) {
  const std::scoped_lock lock(mutex_);
  auto& tag = served_[hash % served_.size()];
  const auto high = static_cast<std::uint32_t>(hash >> 32);
  const bool seen = tag == high;
  tag = high;
  return seen;
}

std::shared_ptr<const KnownKey> Recall::find(std::uint64_t hash, Layer layer, std::string_view key) {
  const std::scoped_lock lock(mutex_);
  auto found = young_.find(hash);
  if (found == young_.end()) {
    auto node = old_.extract(hash);
    if (node.empty()) return nullptr;
    add(hash, std::move(node.mapped()));
    found = young_.find(hash);
  }
  const Slot& slot = found->second;
  return slot.layer == layer && slot.key == key ? slot.known : nullptr;
}

void Recall::keep(std::uint64_t hash, Layer layer, std::string_view key, std::shared_ptr<const KnownKey> known) {
  const std::scoped_lock lock(mutex_);
  if (const auto before = young_.find(hash); before != young_.end()) {
    young_size_ -= before->second.known->size();
    young_.erase(before);
  }
  old_.erase(hash);
  if (known->size() <= limit_ / 2) add(hash, {layer, std::string(key), std::move(known)});
}

void Recall::add(std::uint64_t hash, Slot slot) {
  const std::size_t size = slot.known->size();
  if (young_size_ + size > limit_ / 2) {
    old_ = std::move(young_);
    young_.clear();
    young_size_ = 0;
  }
  young_size_ += size;
  young_.emplace(hash, std::move(slot));
}

}  // namespace keyhole
