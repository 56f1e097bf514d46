// SPDX-License-Identifier: Apache-2.0
// From component differences to causes: which are roots, which follow from them, and how each is told.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "change.h"
#include "keyhole/explain/explain.h"

namespace keyhole::explain_detail {

class Evidence;

struct Causes {
  std::vector<Cause> causes;         ///< roots first, in the order in which to act on them
  std::vector<std::string> aspects;  ///< of each cause: "shape", "dtype"; empty where there is none
  std::vector<std::string> told;     ///< of each cause a sentence of its own; empty, or no list: it is made of the rest
  std::string graph_story;           ///< how the gm cause begins in a sentence: "added ", "constant "
  std::string graph_program;  ///< how the graph that Dynamo captured changed, where gm shows another one: "`a` → `b`"
  std::string graph_counts;   ///< " (+3 −1 lines)"; empty for one line
  std::size_t inputs_before = 0, inputs_after = 0;
};

Causes find_causes(const Case& c, const LookupRow& baseline, const std::vector<Change>& changes, Evidence& evidence);

}  // namespace keyhole::explain_detail
