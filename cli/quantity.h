// SPDX-License-Identifier: Apache-2.0
// Sizes and ages as a person writes them. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "keyhole/base/error.h"
#include "keyhole/base/records.h"

namespace keyhole::cli {

/// Bytes: "5GiB" and "5G" are 5 * 2^30, "5GB" is 5 * 10^9, "800" is 800. usage for all else, and for more than 2^62.
Result<std::int64_t> parse_size(const std::string& text);
/// "90s", "15m", "12h", "30d", "8w". usage for all else, and for more than 200 years.
Result<Nanoseconds> parse_age(const std::string& text);

}  // namespace keyhole::cli
