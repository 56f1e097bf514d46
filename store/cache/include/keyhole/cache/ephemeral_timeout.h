// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "keyhole/base/records.h"

namespace keyhole {

/// A rank that hits a cache reaches the next collective earlier, by the compile time that it saved, than one that
/// misses: the process groups' timeout is raised by that much. `add` gets whole seconds; null: no distributed run.
void set_ephemeral_timeout(std::function<void(std::int64_t seconds)> add);

/// Raises it by the whole seconds in `saved` (rounded down: -1 ns is -1 s) and gives them; 0 where there is no
/// distributed run.
std::int64_t add_ephemeral_timeout(Nanoseconds saved);

}  // namespace keyhole
