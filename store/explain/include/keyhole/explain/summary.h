// SPDX-License-Identifier: Apache-2.0
// Many misses, few causes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "keyhole/explain/told.h"

namespace keyhole {

/// Misses that one change explains.
struct CauseTotal {
  std::string component;  ///< "inductor_config[epilogue_fusion]"; empty where the verdict alone tells ("evicted")
  std::string before, after;
  std::string cause_class;
  Verdict verdict = Verdict::unknown;  ///< of the lookup that tells most
  std::string summary, fix;            ///< of that lookup
  std::string baseline_run, baseline_reason;
  double seconds = 0;          ///< lost; each second is in one total only
  std::size_t misses = 0;      ///< lookups that were not served, those that were bypassed included
  std::vector<RowId> lookups;  ///< in the order of time
};

struct RunSummary {
  std::size_t lookups = 0, hits = 0, misses = 0, bypasses = 0;  ///< misses: all that were looked up in vain
  double seconds_lost = 0, seconds_saved = 0;
  std::vector<CauseTotal> causes;  ///< most seconds first
};

/// `told`: the lookups of a run, in the order of time. A lookup whose inner lookup tells the cause counts under that
/// one.
[[nodiscard]] RunSummary summarise(const std::vector<Told>& told);

}  // namespace keyhole
