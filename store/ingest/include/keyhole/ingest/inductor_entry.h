// SPDX-License-Identifier: Apache-2.0
// The entries that Inductor and AOTAutograd pickle: in a cache folder, in a mega-cache file, in a remote cache's value.
// Fields as PyTorch 2.13 names them (CompiledFxGraph, AOTAutogradResult, BundledAOTAutogradResult); a field that
// another version lacks is left unset.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"

namespace keyhole {

struct DecodedEntry {
  std::int64_t error_offset = -1;  ///< where the pickle broke; -1: whole, and of the expected class
  /// FX entries inside a bundled AOTAutograd entry: nothing of them lies in fxgraph/.
  std::vector<EntryRecord> bundled;
};

/// Fills what the bytes of an fx_graph entry tell: guard, direction, cost, components, code_key, metadata_json; state
/// damaged with a reason where they do not decode, and what was readable is kept. `key` and `name` are the caller's;
/// an empty key is filled from the entry.
DecodedEntry decode_fx_entry(std::string_view bytes, ComponentPool& pool, EntryRecord& entry);

/// The same for aot_autograd; `needs` names the FX keys. Its own components are not in the entry.
DecodedEntry decode_aot_entry(std::string_view bytes, ComponentPool& pool, EntryRecord& entry);

/// What a person looks at, too large for a record.
struct EntryDetail {
  struct Text {
    std::string title;  ///< "source_code", "aot_forward_graph_str"
    std::string text;
  };
  std::vector<Text> texts;
  std::vector<std::string> would_run;   ///< callables that loading the entry would call: "torch.Size"
  std::vector<std::string> suspicious;  ///< those of them that have no business in a cache entry: "posix.system"
  std::string tree;                     ///< the whole value as Python would print it, cut at 64 KiB
  std::string problem;                  ///< "the pickle ends ... (byte 39696)"; empty: whole
};

/// Of any pickle file. Nothing is executed.
Result<EntryDetail> read_entry_detail(const std::string& path);

}  // namespace keyhole
