// SPDX-License-Identifier: Apache-2.0
// A key that was looked up or stored before, and missed now: what became of its entry.
#pragma once

#include <optional>
#include <string>

#include "keyhole/explain/explain.h"

namespace keyhole::explain_detail {

struct Fate {
  Verdict verdict = Verdict::unknown;
  std::string what;                    ///< the evidence in a sentence
  const LookupRow* earlier = nullptr;  ///< the lookup that it is compared with; null: only an entry is known
  std::string fix;                     ///< beyond the advice of the verdict; empty: none
};

/// Absent where the key was never seen before the lookup.
std::optional<Fate> fate_of_key(const Case& c);

/// What the process's own log says of the read: `entry_unreadable` or `io_error`. Absent where it says nothing.
std::optional<Verdict> verdict_of_load_error(const std::string& load_error);

}  // namespace keyhole::explain_detail
