// SPDX-License-Identifier: Apache-2.0
// The options of the compilers, as far as they are known. What is not in these tables is not cached.
#pragma once

#include <string_view>

namespace keyhole {

enum class OptionUse {
  keep,          ///< part of the key, no more
  include_dir,   ///< a folder that headers are looked for in
  library,       ///< -l
  library_dir,   ///< -L
  shared,        ///< gcc -shared: makes a library where nothing else says what to make
  output,        ///< -o
  output_dir,    ///< nvcc -odir
  dep_write,     ///< -MD, -MMD
  dep_file,      ///< -MF
  dep_shape,     ///< -MT, -MQ, -MP
  form,          ///< -c, -dc, -ptx, …: what to make
  refuse,        ///< the result cannot be kept, or is not a file
  debug,         ///< the working folder enters the result
  search,        ///< moves the compiler's own search path
  option_file,   ///< nvcc -optf
  host_flags,    ///< nvcc -Xcompiler: options of the host compiler, between commas
  host,          ///< nvcc -ccbin
  architecture,  ///< nvcc -arch: native is refused
  forward,       ///< nvcc: what it does not know goes to the host compiler
  language       ///< -x
};

/// How an option takes its argument.
enum class OptionArgument {
  none,
  separate,  ///< "-include x"; nvcc takes "-include=x" too
  either,    ///< "-I x" or "-Ix"
  attached   ///< "-O2", "-std=c++17"; a name that ends in '=' or is a prefix
};

struct OptionRule {
  std::string_view name;       ///< short form
  std::string_view long_name;  ///< nvcc's other spelling; empty: none
  OptionArgument argument = OptionArgument::none;
  OptionUse use = OptionUse::keep;
  std::string_view why = {};  ///< of a refusal
};

/// The rule for an argument of nvcc that begins with '-'; null: not known. `attached` is the rest of the text where the
/// argument stands in it ("x" of "-Ix" and of "-include=x"), and `has_attached` whether there is one.
const OptionRule* nvcc_rule(std::string_view argument, std::string_view& attached, bool& has_attached);
/// The same for gcc and clang.
const OptionRule* gcc_rule(std::string_view argument, std::string_view& attached, bool& has_attached);

}  // namespace keyhole
