// SPDX-License-Identifier: Apache-2.0
// What a compile command asks for, and whether its result can be kept.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace keyhole {

enum class CompilerKind { nvcc, gcc, clang };

/// Which compiler a program's name stands for ("/usr/bin/g++-12" -> gcc). False: none that is known.
bool compiler_named(std::string_view program, CompilerKind& kind);

/// One option with its argument, in one form: "-I" "inc", however it was written.
struct CompileOption {
  std::string name;    ///< as nvcc and gcc spell it short: "-gencode", "-I", "-O"
  std::string value;   ///< empty: none
  std::string origin;  ///< "NVCC_APPEND_FLAGS", an options file; empty: the command line
};

/// A command line that was understood. `refusal` empty: it compiles one source into one file, and all that the result
/// depends on beside the files it includes stands here.
struct CompileCommand {
  CompilerKind kind = CompilerKind::gcc;
  std::string refusal;                 ///< why the result is not kept: "-arch=native asks for the GPU of this machine"
  std::vector<CompileOption> options;  ///< in order, without -o, sources, and what only places files
  std::string source;
  std::string output;
  std::string dependencies;               ///< the file that -MD writes; empty: none
  std::vector<std::string> include_dirs;  ///< -I, -isystem, -iquote, -idirafter, for the host compiler too
  std::vector<std::string> search_flags;  ///< options that move the compiler's own search path: "-m32", "--sysroot=…"
  std::vector<std::string> option_files;  ///< @file, -optf: they are part of the command
  std::string host_compiler;              ///< nvcc -ccbin; empty: not given
  bool folder_matters = false;            ///< the working folder enters the result: -g; nvcc where a path is relative
  // What CommandRules lets in:
  bool links = false;                                ///< makes a shared library
  bool native = false;                               ///< -march=native: what it stands for is part of the command
  std::vector<std::string> objects;                  ///< .o files that are linked
  std::vector<std::string> libraries, library_dirs;  ///< -l, -L
};

/// What is let in beside what a build tool's compile step does. For callers who write the command themselves.
struct CommandRules {
  bool shared_libraries = false;  ///< -shared, of one source or of objects
  bool native = false;            ///< -march=native and its kin
};

using Variable = std::function<const char*(const char* name)>;

/// Reads the arguments behind the compiler's name. nvcc's flags from the environment are taken in where nvcc takes
/// them. `variable` is getenv, or what a test puts in its place.
[[nodiscard]] CompileCommand read_command(CompilerKind kind, const std::vector<std::string>& arguments,
                                          const Variable& variable, const CommandRules& rules = {});

/// Variables that enter a key besides those that become options, sorted by name; those that are unset are left out.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> key_environment(CompilerKind kind,
                                                                               const Variable& variable);

/// Cuts a text into words as the compilers do for options files and flag variables: at white space, with '…', "…" and
/// backslashes.
[[nodiscard]] std::vector<std::string> split_words(std::string_view text);
/// The words with a space between, nothing quoted: for a person to read.
[[nodiscard]] std::string joined_words(const std::vector<std::string>& words);

}  // namespace keyhole
