// SPDX-License-Identifier: Apache-2.0
// Ranks of one run should look up the same keys: who hit, who missed, and what splits them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keyhole/explain/explain.h"

namespace keyhole {

struct RankCell {
  RowId lookup = 0;
  Outcome outcome = Outcome::miss;
  std::string key;
};

/// One graph: a layer, a compile id and a direction (and which of several such lookups, counted within a compile).
struct RankRow {
  Layer layer = Layer::fx_graph;
  Direction direction = Direction::unknown;
  std::string compile_id, function;
  std::size_t nth = 0;
  std::vector<std::optional<RankCell>> cells;  ///< in the order of `ranks`; absent: that rank never looked it up
  bool keys_differ = false;
  std::vector<Cause> split;  ///< the key of most ranks against the first other one; empty: equal keys, or not recorded
};

struct RankMatrix {
  std::vector<int> ranks;
  std::vector<RankRow> rows;  ///< in the order of first lookup
};

/// `lookups`: of one run, in the order of time, components filled where they were recorded. Lookups of processes
/// without a rank are left out. Where AOTAutograd or the compile tried a key twice, the last try counts.
[[nodiscard]] RankMatrix rank_matrix(const std::vector<LookupRow>& lookups);

}  // namespace keyhole
