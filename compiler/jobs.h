// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "wire.h"

namespace keyhole {

/// Runs a registered job here; `text` is its result, or the text of its failure.
JobEnd run_job(const std::string& name, const std::string& payload, std::string& text);

}  // namespace keyhole
