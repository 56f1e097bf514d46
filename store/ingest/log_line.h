// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "keyhole/base/records.h"
#include "trace_header.h"

namespace keyhole {

/// One line of TORCH_LOGS (TorchLogsFormatter in torch/_logging/_internal.py); every line of a message has the prefix:
///
///   line   = junk? ("[rank" n "]:")? level MMDD " " HH:MM:SS.ffffff " " pid " " path ":" line "]" (" [" compile "]")?
///            (" [__" artifact "]")? " " text
///
/// junk: what launchers and progress bars put in front, up to 64 bytes.
struct LogLine {
  std::string_view prefix;  ///< from the level up to the text: the lines of one message have the same
  char level = 'V';         ///< V I W E C
  LocalTime time;
  std::int64_t pid = -1;
  std::optional<int> rank;
  std::string_view path;  ///< "torch/_inductor/codecache.py"
  CompileId compile;      ///< not known where the line has none
  std::string_view text;

  static std::optional<LogLine> parse(std::string_view line);
};

}  // namespace keyhole
