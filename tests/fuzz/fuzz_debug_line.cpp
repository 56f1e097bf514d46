// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <string_view>

#include "keyhole/key/debug_line.h"
#include "keyhole/key/tensor_metadata.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhole;
  const std::string_view block(reinterpret_cast<const char*>(data), size);
  (void)parse_debug_line(block);
  const char* end = block.data();
  for (const DebugLine& line : split_debug_lines(block)) {
    // Views lie in the block, one behind the other.
    if (line.name.data() < end || line.text.data() < line.name.data() + line.name.size()) std::abort();
    end = line.text.data() + line.text.size();
    if (end > block.data() + block.size()) std::abort();
    (void)split_component_name(line.name).position();
    (void)group_of(line.name);
    if (const auto tensor = parse_tensor_metadata(line.text)) {  // what was read can be printed and read again
      const auto again = parse_tensor_metadata(tensor->metadata.text());
      if (!again || again->metadata.text() != tensor->metadata.text()) std::abort();
    }
    (void)parse_symbol_text(line.text);
  }
  (void)parse_tensor_metadata(block);
  return 0;
}
