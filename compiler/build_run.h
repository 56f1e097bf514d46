// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keyhole/cache/brief.h"

namespace keyhole {

/// The run that this compile is a step of: $KEYHOLE_RUN, else the nearest process above that is no shell command and no
/// launcher (make, ninja, an interactive shell).
[[nodiscard]] BriefRun build_run();

/// This process as a run of its own.
[[nodiscard]] BriefRun own_run();

}  // namespace keyhole
