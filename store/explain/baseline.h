// SPDX-License-Identifier: Apache-2.0
// Which earlier lookup a miss is compared with: graph identity first, then environment.
#pragma once

#include <string>
#include <vector>

#include "keyhole/explain/explain.h"

namespace keyhole::explain_detail {

struct Baseline {
  const LookupRow* row = nullptr;
  double score = 0;
  bool comparable = false;  ///< the same graph, or a changed version of it; else it is another program's
  std::string reason;       ///< "same graph, same compile id"
};

/// The candidates of the subject's layer and direction with components, best first. `c.against` comes first where it is
/// among them, and is comparable by order of the user.
std::vector<Baseline> rank_baselines(const Case& c);

/// Which graph of a training step a lookup was for: its field, else what its components tell.
Direction direction_of(const LookupRow& row);

}  // namespace keyhole::explain_detail
