// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "json_cursor.h"
#include "keyhole/base/pool.h"

namespace keyhole {

/// The components of one event and what its fx_kwargs say of the graph.
struct ReadComponents {
  std::vector<ComponentPtr> list;
  Direction direction = Direction::unknown;
  std::size_t malformed = 0;  ///< lines that are no debug lines
};

/// Reads the debug lines of cache events. Most lines repeat from event to event: a line that was seen is recognised by
/// its raw JSON bytes, and neither decoded nor interned again.
class ComponentReader {
 public:
  explicit ComponentReader(ComponentPool& pool) : pool_(pool) {}

  /// Takes the array that `json` stands at.
  ReadComponents read(JsonCursor& json);

 private:
  struct Known {
    ComponentPtr component = nullptr;
    bool is_backward = false, is_inference = false, says_forward = false;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
  };
  const Known& recognise(std::string_view raw);

  ComponentPool& pool_;
  std::unordered_map<std::string, Known, Hash, std::equal_to<>> known_;
  std::size_t known_bytes_ = 0;
  Known large_;  // the last one that was too large to keep
  std::string text_;
};

}  // namespace keyhole
