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
    std::string text;
    bool quoted = false;  ///< also looked for beside the file that asks
  };
  /// Of #include, #include_next, #import, and all that #if, #elif and __has_include in a #define hold in quotes or <>.
  std::vector<Name> names;
  std::vector<std::string> wrappers;  ///< macros whose definition asks __has_include for what is no literal
  bool hidden_question = false;       ///< __has_include of something that is no literal
  bool time = false;                  ///< __TIME__ or __DATE__
  bool timestamp = false;             ///< __TIMESTAMP__
  bool unseen = false;                ///< .incbin or .include of the assembler, #embed: files that -H does not name
  /// Of #line: compilers show lines of these files with what they say.
  std::vector<std::string> shown;
  bool digraphs = false;   ///< a line begins with "%:" or "??=", which a compiler may take for '#'
  bool file_time = false;  ///< #pragma GCC dependency: what is said depends on another file's time
};

[[nodiscard]] Asked questions_of(std::string_view text);
/// Whether an #if or #elif of `text` calls one of `wrappers` with something that is no literal. Adds to `wrappers` the
/// macros of `text` that call one of them.
[[nodiscard]] bool asks_hidden(std::string_view text, std::vector<std::string>& wrappers);

/// A file that was entered, and the one whose #include led to it (empty: the command line).
struct Entered {
  std::string file, by;
  friend auto operator<=>(const Entered&, const Entered&) = default;
};

/// Reads the line markers of preprocessed text (`# 12 "file" 1`): adds the files that they name to `entered`, but not
/// the <built-in> ones.
class LineMarkers {
 public:
  explicit LineMarkers(std::vector<Entered>& entered) : entered_(entered) {}
  /// A piece that begins with a line, whole lines but for the last, which may be cut. Gives where that one begins.
  std::size_t read(std::string_view text);

 private:
  void line(std::string_view text);
  std::vector<Entered>& entered_;
  std::vector<std::string> stack_;
};

/// Takes the lines that -H wrote out of a compiler's standard error and adds the files that they name. `source` is the
/// file that includes at depth 1. False where a precompiled header was used.
bool take_header_lines(std::string& error_text, const std::string& source, std::vector<Entered>& entered);

/// Adds the files that a linker's --dependency-file names behind its target.
void read_link_inputs(std::string_view dependency_file, std::vector<std::string>& files);

}  // namespace keyhole
