// SPDX-License-Identifier: Apache-2.0
// `keyhole cc`. It is asked before the command line is parsed, because a hit takes a few milliseconds, of which the
// options of all the other commands would be one.
#include "cc.h"

#include <cstring>

#include "command.h"
#include "keyhole/compiler/async_compile.h"
#include "keyhole/compiler/command.h"
#include "keyhole/compiler/compile_cache.h"
#include "keyhole/db/store.h"

namespace keyhole::cli {

std::optional<int> compile_command(int argc, char** argv) {
  if (auto status = compile_worker(argc, argv)) return status;
  CompilerKind kind{};
  if (argc > 0 && compiler_named(argv[0], kind))
    return compile_through(default_store(), argv[0], {argv + 1, argv + argc});
  std::string store;
  int at = 1;
  if (at + 1 < argc && std::strcmp(argv[at], "--store") == 0) {
    store = argv[at + 1];
    at += 2;
  }
  if (at + 1 >= argc || std::strcmp(argv[at], "cc") != 0) return std::nullopt;
  ++at;
  if (at + 1 < argc && std::strcmp(argv[at], "--store") == 0) {
    store = argv[at + 1];
    at += 2;
  }
  if (at < argc && std::strcmp(argv[at], "--") == 0) ++at;
  if (at >= argc || argv[at][0] == '-') return std::nullopt;  // --help, or a mistake
  return compile_through(store.empty() ? default_store() : store, argv[at], {argv + at + 1, argv + argc});
}

void add_cc(Commands& commands) {
  Command command = commands.add(
      "cc",
      "Compile with nvcc, g++ or clang++ through the store; also as a launcher of CMake, or under the compiler's name",
      "  keyhole cc -- nvcc -c kernel.cu -o kernel.o\n"
      "  cmake -DCMAKE_CUDA_COMPILER_LAUNCHER='keyhole;cc' -DCMAKE_CXX_COMPILER_LAUNCHER='keyhole;cc' ...");
  command.takes_program();
  commands.on([&commands](const Globals& globals) {
    const auto program = commands.program();
    if (program.empty())
      return report({ErrorKind::usage, "no compiler given", {}, "keyhole cc -- nvcc -c kernel.cu -o kernel.o"});
    return compile_through(globals.store, program.front(), {program.begin() + 1, program.end()});
  });
}

}  // namespace keyhole::cli
