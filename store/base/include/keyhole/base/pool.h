// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "keyhole/base/records.h"

namespace keyhole {

/// Owns components, each once: the same name, digest and text give the same pointer. Pointers stay valid until the pool
/// dies. Not thread-safe.
class ComponentPool {
 public:
  ComponentPool() = default;
  ComponentPool(const ComponentPool&) = delete;
  ComponentPool& operator=(const ComponentPool&) = delete;

  ComponentPtr intern(std::string_view name, const Digest& digest, std::string_view text);
  [[nodiscard]] std::size_t size() const { return components_.size(); }
  /// Tells this pool from every other of the process, also from one that lived at the same address before.
  [[nodiscard]] std::uint64_t serial() const { return serial_; }

 private:
  struct Hash {
    std::size_t operator()(ComponentPtr c) const noexcept;
  };
  struct Equal {
    bool operator()(ComponentPtr a, ComponentPtr b) const noexcept;
  };
  static std::uint64_t next_serial();
  const std::uint64_t serial_ = next_serial();
  std::deque<Component> components_;
  std::unordered_set<ComponentPtr, Hash, Equal> index_;
};

}  // namespace keyhole
