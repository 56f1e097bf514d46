// SPDX-License-Identifier: Apache-2.0
// What a source text asks to include, and what a compiler says it did include.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyhole {

/// The questions that a source text puts to the search path, in code that is compiled and in code that is not.
struct Asked {
  struct Name {
    std::string_view text;
    bool quoted;  ///< also looked for beside the file that asks
  };
  std::vector<Name> names;  ///< of #include, #include_next, #import, and all that #if and #elif hold in quotes or <>
  std::vector<std::string_view> wrappers;  ///< macros whose definition holds __has_include
  bool hidden_question = false;            ///< __has_include of something that is no literal
  bool time = false;                       ///< __TIME__ or __DATE__
  bool timestamp = false;                  ///< __TIMESTAMP__
  bool incbin = false;                     ///< the assembler's .incbin: a file that no preprocessor sees
};

/// The views point into `text`. `wrappers`: those of other files, whose uses with no literal are hidden questions too.
[[nodiscard]] Asked questions_of(std::string_view text);
/// Whether an #if or #elif of `text` calls one of `wrappers` with something that is no literal. Adds to `wrappers` the
/// macros of `text` that call one of them.
[[nodiscard]] bool asks_hidden(std::string_view text, std::vector<std::string>& wrappers);

/// A file that was entered, and the one whose #include led to it (empty: the command line).
struct Entered {
  std::string file, by;
  friend auto operator<=>(const Entered&, const Entered&) = default;
};

/// Adds the files named by the line markers of preprocessed text (`# 12 "file" 1`), but not the <built-in> ones.
void read_line_markers(std::string_view preprocessed, std::vector<Entered>& entered);

/// Takes the lines that -H wrote out of a compiler's standard error and adds the files that they name. `source` is the
/// file that includes at depth 1. False where a precompiled header was used.
bool take_header_lines(std::string& error_text, const std::string& source, std::vector<Entered>& entered);

/// Adds the files that a linker's --dependency-file names behind its target.
void read_link_inputs(std::string_view dependency_file, std::vector<std::string>& files);

}  // namespace keyhole
