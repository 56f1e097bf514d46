// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace keyhole::explain_detail {

/// A reason as printed, in one line, without what differs from process to process (addresses, ids).
std::string normalise_reason(std::string_view reason);

/// Dynamo's reason for a recompile: the guard, the compile that it stands in, the line that asked for it.
std::string recompile_sentence(std::string_view reason);

/// What to do about a recompile with this reason, as Dynamo gives it; empty: nothing is known to help.
std::string fix_of_recompile(std::string_view reason);

/// What to do about a bypass for this (normalised) reason; empty: nothing is known to help.
std::string fix_of_bypass(std::string_view reason);

/// The reason says that a cache was switched off, not that the graph could not be cached.
bool says_cache_off(std::string_view reason);

}  // namespace keyhole::explain_detail
