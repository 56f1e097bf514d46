// SPDX-License-Identifier: Apache-2.0
// A miss compared with the best earlier lookup. Used by explain.cpp and explain_inner.cpp.
#pragma once

#include <string>
#include <vector>

#include "baseline.h"
#include "causes.h"
#include "keyhole/explain/explain.h"

namespace keyhole::explain_detail {

[[nodiscard]] bool is_miss(const LookupRow& row);

/// A miss of a lookup, explained by comparing components.
struct Comparison {
  Verdict verdict = Verdict::unknown;
  std::vector<Baseline> ranked;
  Causes causes;
};
Comparison compare_with_baseline(const Case& c);

void put_candidates(const std::vector<Baseline>& ranked, Explanation& e);
void put_baseline(const LookupRow& row, double score, std::string reason, Explanation& e);

/// An outer lookup without components, by the lookups within its compile (explain_inner.cpp).
void explain_by_inner(const Case& c, Explanation& e);

}  // namespace keyhole::explain_detail
