// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/counters.h"

#include <memory>

namespace keyhole {
namespace {

std::mutex listener_mutex;
std::shared_ptr<const EventListener> listener;

}  // namespace

void Counters::add(std::string_view group, std::string_view name, std::int64_t n) {
  const std::scoped_lock lock(mutex_);
  groups_[std::string(group)][std::string(name)] += n;
}

std::int64_t Counters::value(std::string_view group, std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto g = groups_.find(std::string(group));
  if (g == groups_.end()) return 0;
  const auto n = g->second.find(std::string(name));
  return n == g->second.end() ? 0 : n->second;
}

Counters::Groups Counters::all() const {
  const std::scoped_lock lock(mutex_);
  return groups_;
}

void Counters::clear() {
  const std::scoped_lock lock(mutex_);
  groups_.clear();
}

Counters& counters() {
  static Counters of_process;
  return of_process;
}

void set_event_listener(EventListener wanted) {
  const std::scoped_lock lock(listener_mutex);
  listener = wanted ? std::make_shared<const EventListener>(std::move(wanted)) : nullptr;
}

void emit_event(std::string_view name, std::string_view json) {
  std::shared_ptr<const EventListener> present;
  {
    const std::scoped_lock lock(listener_mutex);
    present = listener;
  }
  if (present) (*present)(name, json);
}

}  // namespace keyhole
