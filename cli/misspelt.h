// SPDX-License-Identifier: Apache-2.0
// What somebody may have meant who typed something else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keyhole::cli {

/// The candidate that takes the fewest letters to become `word`; empty where none is near: more than a third of the
/// letters differ. A candidate that begins with `word` is near, too. Of equals the first.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace keyhole::cli
