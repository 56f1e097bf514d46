// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "keyhole/base/digest.h"

namespace keyhole {

/// PyTorch's debug line `[digest] attr[index]: text`, taken apart. The views point into the line that was parsed.
struct DebugLine {
  std::string_view name;  ///< "gm", "example_inputs[2]", "inductor_config[epilogue_fusion]"
  Digest digest;
  std::string_view
      text;  ///< may hold newlines, CR, NUL and other control bytes; bytes values are cut at 1024 characters
};

/// Parses one line (its text may span several lines of the terminal). Absent: it is not a debug line.
[[nodiscard]] std::optional<DebugLine> parse_debug_line(std::string_view line);

/// Splits the lines of one key as they stand in a log or an entry, joined by newlines. A line begins only where
/// `[`, 51 characters of [a-z2-7], `] ` and a name follow each other; all else belongs to the text of the line before.
/// What stands before the first line is skipped. A newline that ends the block belongs to no text.
[[nodiscard]] std::vector<DebugLine> split_debug_lines(std::string_view block);

/// The two parts of a component's name. The index may itself hold dots, colons and brackets.
struct ComponentName {
  std::string_view attr;   ///< "inductor_config"
  std::string_view index;  ///< "triton.cudagraphs"; empty where not indexed
  bool indexed = false;
  /// The index as a list position; -1: it is none.
  [[nodiscard]] std::int64_t position() const;
};
[[nodiscard]] ComponentName split_component_name(std::string_view name);

/// Components are stored and compared by group first: most keys differ in one of these alone.
enum class ComponentGroup : std::uint8_t {
  rest = 0,
  inductor_config = 1,
  inductor_config_comms = 2,
  fx_kwargs = 3,
  example_inputs = 4
};
inline constexpr int kComponentGroups = 5;
[[nodiscard]] ComponentGroup group_of(std::string_view component_name);
[[nodiscard]] const char* name_of(ComponentGroup group);  ///< "fx_kwargs"

}  // namespace keyhole
