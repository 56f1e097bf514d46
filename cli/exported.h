// SPDX-License-Identifier: Apache-2.0
// What `keyhole export` shares: one document, as JSON or as a page that needs nothing else.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace keyhole::cli {

/// Replaces texts by "#" and 12 digits of a keyed hash: equal texts stay equal within the document, and without `salt`
/// a short text cannot be guessed. Numbers, times, layers, outcomes, verdicts, classes, keys and the names of PyTorch's
/// own components stay.
void redact(nlohmann::json& document, const std::string& salt);
/// A salt that was never used before.
std::string fresh_salt();

/// One page in HTML, without scripts and without anything from elsewhere.
std::string page_of(const nlohmann::json& document);

}  // namespace keyhole::cli
