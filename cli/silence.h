// SPDX-License-Identifier: Apache-2.0
// Why a run has no lookups.
#pragma once

#include <string>

#include "keyhole/db/reader.h"

namespace keyhole::cli {

/// A sentence without a full stop: "its only compile failed: …", from the compiles that the run recorded.
std::string why_no_lookups(Reader& reader, const RunRow& run);

}  // namespace keyhole::cli
