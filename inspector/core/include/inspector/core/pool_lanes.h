// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "inspector/core/source.h"
#include "inspector/core/timeline.h"

namespace keyhole::inspector {

/// Compile jobs as the job slots that they filled: a lane a slot, as few as the jobs need that ran at the same time, a
/// run's lanes together and each run from its start; the newest run first. A job lasts as long as its compile took, a
/// hit as long as its lookup. Jobs without a time are counted, not drawn.
[[nodiscard]] TimelinePtr pool_lanes(const std::vector<CompileJob>& jobs);

}  // namespace keyhole::inspector
