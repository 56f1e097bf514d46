// SPDX-License-Identifier: Apache-2.0
#include "code_steps.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "build_run.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/source_files.h"
#include "keyhole/compiler/compile_cache.h"
#include "keyhole/compiler/process.h"
#include "keyhole/compiler/toolchain.h"
#include "keyhole/key/hash.h"
#include "keyhole/remote/python_json.h"
#include "output.h"
#include "parts.h"
#include "stamp.h"

namespace keyhole {
namespace {

constexpr CommandRules kRules{.shared_libraries = true, .native = true};

std::string error_file(const std::string& output) {
  return output + ".error";
}
/// Beside the error: what it depends on, as a manifest.
std::string watched_file(const std::string& output) {
  return output + ".error.depends";
}

/// As Python writes it: [["nvcc", …], "what it said"].
std::string json_of(const CompileError& error) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array({error.command, error.output});
  return python_json(json);
}

std::optional<CompileError> error_of(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_array() || json.size() != 2 || !json[0].is_array() || !json[1].is_string()) return std::nullopt;
  CompileError error;
  for (const auto& word : json[0]) {
    if (!word.is_string()) return std::nullopt;
    error.command.push_back(word.get<std::string>());
  }
  error.output = json[1].get<std::string>();
  return error;
}

void append_to(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return;
  write_all(fd, text);
  ::close(fd);
}

}  // namespace

std::string CompileError::text() const {
  return "C++ compile error\n\nCommand:\n" + joined_words(command) + "\n\nOutput:\n" + output;
}

CodeSteps::CodeSteps(CodeCacheOptions options) : options_(std::move(options)) {
  if (options_.run.name.empty()) options_.run = own_run();
}

std::string CodeSteps::root() const {
  return options_.root.empty() ? inductor_cache_root() : options_.root;
}

std::string CodeSteps::identity(const std::string& command) const {
  if (options_.torch_compat) return {};
  auto words = split_words(command);
  if (words.empty()) return {};
  const std::string program = resolve_program(words.front());
  CompilerKind kind = CompilerKind::gcc;
  compiler_named(words.front(), kind);
  words.erase(words.begin());
  const CompileCommand read = read_command(kind, words, std::getenv, kRules);
  Sha256 hash;
  hash.update(command).update("\n");
  for (const auto& option : read.options) hash.update(option.origin).update("=").update(option.value).update("\n");
  const auto environment = key_environment(kind, std::getenv);
  for (const auto& [name, value] : environment) hash.update(name).update("=").update(value).update("\n");
  ToolchainRequest request{.kind = kind,
                           .program = program,
                           .host_compiler = read.host_compiler,
                           .search_flags = read.search_flags,
                           .environment = environment,
                           .memory = options_.store + "/compile/toolchains"};
  if (const auto toolchain = find_toolchain(request))
    for (const auto& tool : toolchain->tools) hash.update(tool.name).update("=").update(tool.digest.hex()).update("\n");
  else
    hash.update(program);
  return "keyhole " + hash.finish().hex();
}

CodeResult<void> CodeSteps::run(const CodeStep& step) {
  if (options_.torch_compat && !step.memory.empty()) {
    const std::lock_guard lock(mutex_);
    if (const auto known = memory_.find(step.memory); known != memory_.end()) {
      if (!known->second) return {};
      return tl::unexpected(CodeFailure{{ErrorKind::bad_input, known->second->text(), {}, {}}, known->second});
    }
  }
  auto lock = FileLock::take(joined(root(), "locks"), step.key);
  if (!lock) return tl::unexpected(CodeFailure{lock.error()});
  if (const auto error = remembered(step)) return tl::unexpected(failed(step, *error, {}, false));
  auto done = options_.torch_compat ? run_as_torch(step) : run_through_store(step);
  if (done && !step.memory.empty()) {
    const std::lock_guard memory(mutex_);
    memory_[step.memory] = std::nullopt;
  }
  return done;
}

std::optional<CompileError> CodeSteps::remembered(const CodeStep& step) const {
  if (!step.remember_errors) return std::nullopt;
  const auto text = read_file(error_file(step.output));
  if (!text) return std::nullopt;
  if (!options_.torch_compat) {
    const auto watched = read_file(watched_file(step.output));
    if (!watched || !watched_failure_holds(*watched)) {
      os().unlink(error_file(step.output));
      os().unlink(watched_file(step.output));
      return std::nullopt;
    }
  }
  return error_of(*text);
}

CodeFailure CodeSteps::failed(const CodeStep& step, CompileError error, const std::string& depends_on, bool write) {
  if (write && step.remember_errors) {
    if (!depends_on.empty()) static_cast<void>(write_atomic(watched_file(step.output), depends_on));
    static_cast<void>(write_atomic(error_file(step.output), json_of(error)));
  }
  if (!step.memory.empty()) {
    const std::lock_guard lock(mutex_);
    memory_[step.memory] = error;
  }
  return {{ErrorKind::bad_input, error.text(), {}, {}}, std::move(error)};
}

CodeResult<void> CodeSteps::run_as_torch(const CodeStep& step) {
  LookupRecord lookup;
  lookup.layer = step.layer;
  lookup.key = step.key;
  lookup.time = os().now();
  const bool there = stamp_of(step.output).exists();
  lookup.outcome = there ? Outcome::hit : Outcome::miss;
  lookup.status = there ? "hit" : "full_miss";
  const auto note = [&] { static_cast<void>(leave_lookup(options_.store, options_.run, lookup, 0)); };
  if (there) return note(), CodeResult<void>();

  if (!step.source.empty()) append_to(step.source, "\n// " + step.title + "\n// " + step.command + "\n");
  const auto argv = split_words(step.command);
  const std::string program = argv.empty() ? "" : resolve_program(argv.front());
  if (program.empty())
    return tl::unexpected(CodeFailure{{ErrorKind::not_found, "no such compiler", step.command, "put it on PATH"}});
  Parts parts;
  for (const auto& word : argv) parts.add("argument", word);
  lookup.components = parts.components();
  const std::int64_t begin = os().monotonic();
  const auto ran = run_program(program, argv, {.merged = true});
  lookup.cost = os().monotonic() - begin;
  if (ran && ran->status == 0) return note(), CodeResult<void>();
  lookup.status = "compile_failed";
  lookup.save_error = ran ? "the compiler ended with status " + std::to_string(ran->status) : ran.error().line();
  note();
  if (!ran) return tl::unexpected(CodeFailure{ran.error()});
  return tl::unexpected(failed(step, {argv, ran->out}, {}, true));
}

CodeResult<void> CodeSteps::run_through_store(const CodeStep& step) {
  auto argv = split_words(step.command);
  if (argv.empty()) return tl::unexpected(CodeFailure{{ErrorKind::usage, "no command", {}, {}}});
  CompileJob job{.store = options_.store,
                 .program = argv.front(),
                 .arguments = {argv.begin() + 1, argv.end()},
                 .rules = kRules,
                 .run = options_.run};
  Compiled done = compile_job(job);
  if (done.left) {
    const std::string program = resolve_program(argv.front());
    const auto ran = run_program(program, argv, {.merged = true});
    if (!ran) return tl::unexpected(CodeFailure{ran.error()});
    done.status = ran->status;
    done.out = ran->out;
  } else if (done.outcome == Outcome::error) {
    return tl::unexpected(CodeFailure{{ErrorKind::not_found, done.reason, {}, "put it on PATH"}});
  }
  if (done.status == 0) return {};
  return tl::unexpected(failed(step, {std::move(argv), done.out + done.err}, done.failure, !done.failure.empty()));
}

void CodeSteps::clear() {
  const std::lock_guard lock(mutex_);
  memory_.clear();
}

}  // namespace keyhole
