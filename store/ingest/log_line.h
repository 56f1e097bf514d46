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

/// Whether a text begins one of the messages that are read here.
bool begins_message(std::string_view text);

/// The first line of a message where TORCH_LOGS_FORMAT replaced PyTorch's own prefix: "short" gives
/// "DEBUG:torch._inductor.codecache:FX graph cache hash details …", any other format may stand there. Neither time,
/// process nor compile is told then, and only the first line of a message has the prefix; so a message is known by its
/// words.
struct PlainLine {
  char level = 'V';
  std::string_view path;  ///< the file that such a message comes from
  std::string_view text;  ///< empty: another program's or module's line, which ends the message before it

  /// Nothing: the line goes on with the message before it.
  static std::optional<PlainLine> parse(std::string_view line);
};

}  // namespace keyhole
