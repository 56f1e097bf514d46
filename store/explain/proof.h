// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "change.h"
#include "keyhole/db/rows.h"

namespace keyhole::explain_detail {

/// Puts the baseline's components back where they changed, hashes, and compares with the baseline's key. True only for
/// keys of our own (KeyBuilder of store/key) whose producer is known: there the components are all that was hashed, and
/// in their order. PyTorch's keys are made of a stream that nobody records.
bool proven(const LookupRow& baseline, const LookupRow& subject, const std::vector<Change>& changes);

}  // namespace keyhole::explain_detail
