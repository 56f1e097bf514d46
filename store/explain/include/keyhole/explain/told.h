// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "keyhole/explain/explain.h"

namespace keyhole {

/// A lookup with its explanation.
struct Told {
  LookupRow lookup;
  Explanation explanation;
};

/// One object of `keyhole --json why`, as docs fix it: absent parts are null or [], none is left out. Always valid
/// UTF-8: other bytes become U+FFFD. Negative `indent`: one line.
[[nodiscard]] std::string to_json(const Told& told, int indent = -1);
/// An array of them, in the given order.
[[nodiscard]] std::string to_json(const std::vector<Told>& told, int indent = -1);

}  // namespace keyhole
