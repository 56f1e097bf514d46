// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "intake.h"

namespace keyhole::cli {

/// Takes in `paths`: all as the run `run`, or, where that is empty, each that holds lookups as a run called as the path is.
/// A folder or mega-cache file alone becomes a snapshot of no run. Shows a progress bar on a terminal. Gives the paths that
/// could not be taken at all; the others are taken nevertheless.
std::vector<Error> import_paths(Recorder& recorder, Intake& intake, const std::vector<std::string>& paths,
                                const std::string& run, const std::string& location);

}  // namespace keyhole::cli
