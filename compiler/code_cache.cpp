// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/code_cache.h"

#include "code_steps.h"
#include "keyhole/cache/source_files.h"
#include "keyhole/key/hash.h"
#include "stamp.h"

namespace keyhole {
namespace {

constexpr std::string_view kCudaSuffix = "cu";

CodeFailure plain(const Error& error) {
  return {error};
}

std::string with_extension(const std::string& source, const std::string& ext) {
  return source.substr(0, source.size() - kCudaSuffix.size()) + ext;
}

CodeResult<WrittenCode> write_code(const std::string& root, const std::string& source, std::string_view ext,
                                   const std::string& extra) {
  const auto written = write_source(root, {.content = {source}, .ext = ext, .extra = extra});
  if (!written) return tl::unexpected(plain(written.error()));
  return WrittenCode{written->basename, written->path};
}

CodeResult<LoadedCode> loaded(const BuiltCode& built) {
  auto library = Library::open(built.output);
  if (!library) return tl::unexpected(plain(library.error()));
  return LoadedCode{std::move(*library), built.key, built.source};
}

}  // namespace

CudaCodeCache::CudaCodeCache(CodeCacheOptions options, CudaBuild build)
    : build_(std::move(build)), steps_(std::make_unique<CodeSteps>(std::move(options))) {}
CudaCodeCache::~CudaCodeCache() = default;

CodeResult<WrittenCode> CudaCodeCache::write(const std::string& source, const std::string& ext,
                                             const std::vector<std::string>& extra_args) {
  const bool by_command = build_.hash_with_command;
  const auto command = cuda_command(build_, {"dummy_input"}, "dummy_output", by_command ? ext : "o", extra_args);
  if (!command) return tl::unexpected(plain(command.error()));
  std::string extra;
  if (by_command) {
    const auto plain_command =
        cuda_command(build_, {"dummy_input"}, "dummy_output", ext);  // PyTorch leaves the arguments out
    if (!plain_command) return tl::unexpected(plain(plain_command.error()));
    extra = python_repr_text(steps_->torch_compat() ? *plain_command : *command);
  } else {
    extra = cuda_source_extra(build_);
  }
  return write_code(steps_->root(), source, kCudaSuffix, extra + steps_->identity(*command));
}

CodeResult<std::string> CudaCodeCache::output_path(const std::string& source, const std::string& ext) {
  return write(source, ext).map([&](const WrittenCode& code) { return with_extension(code.source, ext); });
}

CodeResult<BuiltCode> CudaCodeCache::compile(const std::string& source, const std::string& ext,
                                             const std::vector<std::string>& extra_args) {
  std::string input;
  if (ext == "so") {
    const auto object = compile(source, "o", extra_args);
    if (!object) return tl::unexpected(object.error());
    input = object->output;
  }
  const auto code = write(source, ext, extra_args);
  if (!code) return tl::unexpected(code.error());
  const bool links = !input.empty();
  BuiltCode built{with_extension(code->source, ext), code->key, code->source};
  const auto command = cuda_command(build_, {links ? input : code->source}, built.output, ext, extra_args);
  if (!command) return tl::unexpected(plain(command.error()));
  const CodeStep step{.layer = Layer::cuda,
                      .key = code->key,
                      .memory = code->key + ext,
                      .command = *command,
                      .output = built.output,
                      .source = code->source,
                      .title = links ? "CUDA Linking cmd" : "CUDA Compilation cmd",
                      .remember_errors = true};
  if (auto done = steps_->run(step); !done) return tl::unexpected(done.error());
  return built;
}

CodeResult<LoadedCode> CudaCodeCache::load(const std::string& source, const std::string& ext) {
  if (ext != "so")
    return tl::unexpected(
        plain({ErrorKind::usage,
               "Only support loading a .so file for now. Requested file extension: " + ext + ". Source code: " + source,
               {},
               {}}));
  const auto built = compile(source, ext);
  if (!built) return tl::unexpected(built.error());
  return loaded(*built);
}

void CudaCodeCache::clear() {
  steps_->clear();
}

CppRequest torch_cpp_request(std::string code, std::string optimized, TorchCpp torch) {
  CppRequest request{std::move(code), std::move(optimized)};
  const bool two = !request.optimized.empty();
  TorchCpp first = torch, second = torch, link = torch;
  first.compile_only = first.min_optimize = two;
  second.compile_only = true;
  if (two) first.isa_macro = first.isa_flags = {};  // the vectors are in the second
  link.isa_macro = link.isa_flags = {};
  request.build = torch_cpp_build(first);
  request.optimized_build = torch_cpp_build(second);
  request.link_build = torch_cpp_build(link);
  return request;
}

CppCodeCache::CppCodeCache(CodeCacheOptions options) : steps_(std::make_unique<CodeSteps>(std::move(options))) {}
CppCodeCache::~CppCodeCache() = default;

CodeResult<BuiltCode> CppCodeCache::compile(const CppRequest& request) {
  const bool two = !request.optimized.empty();
  const std::string root = steps_->root(), command = cpp_command(request.build, "o", {"i"});
  const auto main = write_code(root, request.code, "main.cpp",
                               (two ? request.optimized : "None") + " " + command + steps_->identity(command));
  if (!main) return tl::unexpected(main.error());
  const std::string folder(folder_of(main->source)), name = joined(folder, main->key + ".main");
  BuiltCode built{cpp_target(two ? request.link_build : request.build, name), main->key, main->source};
  std::vector<CodeStep> steps;
  const auto add = [&](const CppBuild& build, const std::string& target, const std::vector<std::string>& sources) {
    steps.push_back({.key = main->key,
                     .memory = {},
                     .command = cpp_command(build, target, sources),
                     .output = cpp_target(build, target),
                     .source = {},
                     .title = {}});
  };
  add(request.build, name, {main->source});
  if (two) {
    const std::string second = cpp_command(request.optimized_build, "o", {"i"});
    const auto code = write_code(root, request.optimized, "optimized.cpp", second + steps_->identity(second));
    if (!code) return tl::unexpected(code.error());
    const std::string target =
        joined(folder, code->key + ".optimized");  // beside the first, wherever its source stands
    add(request.optimized_build, target, {code->source});
    add(request.link_build, name, {steps[0].output, steps[1].output});
  }
  for (const auto& step : steps)
    if (auto done = steps_->run(step); !done) return tl::unexpected(done.error());
  return built;
}

CodeResult<LoadedCode> CppCodeCache::load(const CppRequest& request) {
  const auto built = compile(request);
  if (!built) return tl::unexpected(built.error());
  return loaded(*built);
}

CodeResult<BuiltCode> CppCodeCache::compile_binding(CppBinding binding, const std::vector<std::string>& types,
                                                    CppRequest request, int outputs) {
  request.code += binding_code(binding, types, outputs);
  return compile(request);
}

void CppCodeCache::clear() {
  steps_->clear();
}

}  // namespace keyhole
