// SPDX-License-Identifier: Apache-2.0
// The one line a person reads, and what to do.
#pragma once

#include <string>
#include <string_view>

#include "causes.h"
#include "keyhole/explain/explain.h"

namespace keyhole::explain_detail {

inline constexpr std::size_t kSummaryLimit = 240;  ///< characters

/// Causes in a sentence of at most `limit` characters: roots old → new, then how many more there are.
/// Opens the note of a graph whose values are only called otherwise.
inline constexpr std::string_view kNamesOnly = "only names of values differ";

/// Opens the note of a component that no run had in common with another.
inline constexpr std::string_view kEachRun = "it differed in each of ";

/// The note of a difference that torch._dynamo.config.caching_precompile makes.
inline constexpr std::string_view kPrecompile =
    "torch._dynamo.config.caching_precompile names every compile anew, and the name enters AOTAutograd's key";

/// Opens the note of a graph that a mode or a flag changed, the program being the same.
inline constexpr std::string_view kSettingBehind = "Dynamo captured the same graph; ";

std::string tell_causes(const Causes& causes, std::size_t limit = kSummaryLimit);

/// What to do about a cause.
std::string fix_of_cause(const Cause& cause);
/// What to do about the first of them, the others considered. At least one.
[[nodiscard]] std::string fix_of_causes(const std::vector<Cause>& causes);

/// What to do about a verdict without causes; empty: nothing to advise.
std::string fix_of_verdict(Verdict verdict);

}  // namespace keyhole::explain_detail
