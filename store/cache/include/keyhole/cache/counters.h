// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace keyhole {

/// What happened how often, by group and name: PyTorch's counters, "inductor" / "fxgraph_cache_hit". Thread-safe.
class Counters {
 public:
  using Groups = std::map<std::string, std::map<std::string, std::int64_t>>;

  void add(std::string_view group, std::string_view name, std::int64_t n = 1);
  [[nodiscard]] std::int64_t value(std::string_view group, std::string_view name) const;  ///< 0 where never counted
  [[nodiscard]] Groups all() const;
  void clear();

 private:
  mutable std::mutex mutex_;
  Groups groups_;
};
[[nodiscard]] Counters& counters();  ///< of the process

/// Who wants to hear of an event: its name ("fx_graph_cache_hit") and its record as a JSON object. Called in the thread
/// where it happens; must not call back into the cache.
using EventListener = std::function<void(std::string_view name, std::string_view json)>;
void set_event_listener(EventListener listener);  ///< null: nobody
void emit_event(std::string_view name, std::string_view json);

}  // namespace keyhole
