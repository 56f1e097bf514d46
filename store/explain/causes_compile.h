// SPDX-License-Identifier: Apache-2.0
// Causes of a miss of the compile layers (`keyhole cc`): docs/compile-cache.md names the components.
#pragma once

#include <string_view>
#include <vector>

#include "causes.h"
#include "change.h"

namespace keyhole::explain_detail {

/// Lookups of nvcc, g++ and clang++; their keys hold the component `source`.
bool is_compile_layer(const LookupRow& row);
/// The path of the source as the command gave it; of what is linked the first file. Empty: not recorded.
std::string_view source_of(const LookupRow& row);

/// What differs between two compiles. A source that changed goes before what it includes anew; of a toolchain that
/// changed the compiler is told and its parts follow.
Causes find_compile_causes(const LookupRow& baseline, const LookupRow& subject, const std::vector<Change>& changes);

/// What to do about it; empty: nothing.
std::string fix_of_compile_cause(const Cause& cause);

}  // namespace keyhole::explain_detail
