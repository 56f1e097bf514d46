// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "intake.h"

namespace keyhole::cli {

struct ImportedPaths {
  std::vector<std::string> runs;  ///< that were begun or added to
  std::vector<Error> refused;     ///< paths that could not be taken at all; the others were taken nevertheless
};

/// Takes in `paths`: all as the run `run`, or, where that is empty, each that holds lookups as a run called as the path
/// is. A cache folder or mega-cache file alone becomes a snapshot of no run. Shows a progress bar on a terminal.
ImportedPaths import_paths(Recorder& recorder, Intake& intake, const std::vector<std::string>& paths,
                           const std::string& run, const std::string& location);

}  // namespace keyhole::cli
