// SPDX-License-Identifier: Apache-2.0
// One compiler run of a code cache: under the key's lock, with what is remembered of it.
#pragma once

#include <map>
#include <mutex>

#include "keyhole/base/records.h"
#include "keyhole/compiler/code_cache.h"

namespace keyhole {

struct CodeStep {
  Layer layer = Layer::code;
  std::string key;      ///< whose lock it runs under
  std::string memory;   ///< key and extension; empty: nothing is remembered in this process
  std::string command;  ///< one line, as a shell reads it
  std::string output;
  std::string source;  ///< the file that `title` and the command are appended to under torch_compat; empty: none
  std::string title;   ///< "CUDA Compilation cmd"
  bool remember_errors = false;
};

class CodeSteps {
 public:
  explicit CodeSteps(CodeCacheOptions options);

  [[nodiscard]] std::string root() const;
  [[nodiscard]] bool torch_compat() const { return options_.torch_compat; }
  /// What a sound key covers beside the source: command, compiler by content, environment. Empty under torch_compat.
  /// Where the compiler does not tell what it consists of, its path stands for it.
  [[nodiscard]] std::string identity(const std::string& command) const;
  CodeResult<void> run(const CodeStep& step);
  void clear();

 private:
  CodeResult<void> run_locked(const CodeStep& step);
  CodeResult<void> run_as_torch(const CodeStep& step);
  CodeResult<void> run_through_store(const CodeStep& step);
  std::optional<CompileError> remembered(const CodeStep& step) const;
  CodeFailure failed(const CodeStep& step, CompileError error, const std::string& depends_on, bool write);

  CodeCacheOptions options_;
  std::mutex mutex_;
  std::map<std::string, std::optional<CompileError>> memory_;
};

}  // namespace keyhole
