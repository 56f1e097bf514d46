// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/pool.h"

#include <atomic>

namespace keyhole {

std::uint64_t ComponentPool::next_serial() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

std::size_t ComponentPool::Hash::operator()(ComponentPtr c) const noexcept {
  return std::hash<std::string>{}(c->name) ^ (std::hash<Digest>{}(c->digest) * 31) ^ std::hash<std::string>{}(c->text);
}

bool ComponentPool::Equal::operator()(ComponentPtr a, ComponentPtr b) const noexcept {
  return a->digest == b->digest && a->name == b->name && a->text == b->text;
}

ComponentPtr ComponentPool::intern(std::string_view name, const Digest& digest, std::string_view text) {
  components_.push_back({std::string(name), digest, std::string(text)});
  const auto [found, added] = index_.insert(&components_.back());
  if (!added) components_.pop_back();
  return *found;
}

}  // namespace keyhole
