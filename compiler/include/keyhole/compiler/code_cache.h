// SPDX-License-Identifier: Apache-2.0
// PyTorch's CUDACodeCache and CppCodeCache: generated code, its object and its library as files under the cache root,
// found again by key.
//
// By default the key covers what the result depends on and the caller can know (source, whole command with its extra
// arguments, compiler by content, environment), and each step goes through the store, which knows the headers and
// libraries too: a file that is there is served only where nothing that it was made from has changed. Under
// torch_compat keys, files and steps are PyTorch's, which neither cover headers nor extra arguments: then a stale file
// is served. Other differences: the command is not appended to the source (only under torch_compat), since that would
// make it another source; a failure is remembered only where all that the compiler read is known.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/cache/brief.h"
#include "keyhole/compiler/cpp_command.h"
#include "keyhole/compiler/cuda_command.h"
#include "keyhole/compiler/library.h"

namespace keyhole {

struct CodeCacheOptions {
  std::string root = {};   ///< cache root; empty: inductor_cache_root(), asked on each call
  std::string store = {};  ///< the store that results and history go to
  bool torch_compat = false;
  BriefRun run = {};  ///< empty: this process is the run
};

/// A compiler that ran and failed, or failed before and was not asked again: PyTorch's CUDACompileError and
/// CppCompileError.
struct CompileError {
  std::vector<std::string> command = {};
  std::string output = {};
  [[nodiscard]] std::string text() const;  ///< "C++ compile error\n\nCommand:\n…\n\nOutput:\n…\n"
};

/// Why there is no result. `compile` is set where a compiler said so; then error.what is its text.
struct CodeFailure {
  Error error;
  std::optional<CompileError> compile = {};
};
template <class T>
using CodeResult = tl::expected<T, CodeFailure>;

struct WrittenCode {
  std::string key = {}, source = {};  ///< source: the path
};
struct BuiltCode {
  std::string output = {}, key = {}, source = {};  ///< paths, and the key that they bear
};
struct LoadedCode {
  Library library;
  std::string key = {}, source = {};
};

class CodeSteps;

/// Thread-safe; processes take turns by the key's file lock.
class CudaCodeCache {
 public:
  CudaCodeCache(CodeCacheOptions options, CudaBuild build);
  ~CudaCodeCache();

  /// Writes the source as <root>/<key[1:3]>/<key>.cu. The key does not depend on `ext`, unless hash_with_command asks
  /// so.
  CodeResult<WrittenCode> write(const std::string& source, const std::string& ext,
                                const std::vector<std::string>& extra_args = {});
  /// Where compile() will put its result.
  CodeResult<std::string> output_path(const std::string& source, const std::string& ext);
  /// "o", "so" (through "o", then linked) or "exe". A failure that was remembered (<output>.error, a JSON list of the
  /// command and what the compiler said) fails again without a compiler.
  CodeResult<BuiltCode> compile(const std::string& source, const std::string& ext,
                                const std::vector<std::string>& extra_args = {});
  /// Only "so": else usage "Only support loading a .so file for now. Requested file extension: …".
  CodeResult<LoadedCode> load(const std::string& source, const std::string& ext);
  /// Forgets what this process remembers (torch_compat remembers; without it the files and the store alone do).
  void clear();

 private:
  CudaBuild build_;
  std::unique_ptr<CodeSteps> steps_;
};

/// C++ code that becomes a library; with `optimized`, a second file that is compiled apart and linked to it.
struct CppRequest {
  std::string code, optimized = {};
  CppBuild build = {};            ///< compile_only where there is a second file
  CppBuild optimized_build = {};  ///< compile_only
  CppBuild link_build = {};       ///< of both objects
};
/// As PyTorch sets the three up: the first file at -O1 where there is a second.
[[nodiscard]] CppRequest torch_cpp_request(std::string code, std::string optimized, TorchCpp torch);

class CppCodeCache {
 public:
  explicit CppCodeCache(CodeCacheOptions options);
  ~CppCodeCache();

  CodeResult<BuiltCode> compile(const CppRequest& request);
  CodeResult<LoadedCode> load(const CppRequest& request);
  /// The code with its Python bindings; what is built is a Python module named binding_entry().
  CodeResult<BuiltCode> compile_binding(CppBinding binding, const std::vector<std::string>& types, CppRequest request,
                                        int outputs = -1);
  void clear();

 private:
  std::unique_ptr<CodeSteps> steps_;
};

}  // namespace keyhole
