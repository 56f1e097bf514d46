// SPDX-License-Identifier: Apache-2.0
// Guard expressions of entries under a key, held against the sizes of the lookup.
#pragma once

#include <string>
#include <vector>

#include "keyhole/explain/explain.h"

namespace keyhole::explain_detail {

/// Every known candidate under the subject's key: the stored entries that were there at the lookup, and the expression
/// that the lookup itself recorded (of the last candidate tried). Failing ones first.
std::vector<GuardFinding> find_guards(const Case& c);

/// "11 <= L['t0'] fails for t0 = 6 (L['x'].size()[0]), asked by train.py:12: if x.shape[0] > 10:"; empty where no
/// clause is known to fail.
std::string guard_sentence(const GuardFinding& finding);

}  // namespace keyhole::explain_detail
