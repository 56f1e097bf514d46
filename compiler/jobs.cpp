// SPDX-License-Identifier: Apache-2.0
#include "jobs.h"

#include <unistd.h>

#include <map>
#include <mutex>

#include "build_run.h"
#include "keyhole/compiler/async_compile.h"
#include "keyhole/compiler/compile_cache.h"
#include "keyhole/compiler/process.h"
#include "keyhole/compiler/toolchain.h"

namespace keyhole {
namespace {

/// Words between zeros: the store, then the command.
Result<std::string> run_command(const std::string& payload) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < payload.size();) {
    const auto end = std::min(payload.find('\0', at), payload.size());
    words.push_back(payload.substr(at, end - at));
    at = end + 1;
  }
  if (words.size() < 2) return fail(ErrorKind::usage, "no command");
  const std::vector<std::string> argv(words.begin() + 1, words.end());
  const CompileJob job{
      .store = words[0], .program = argv[0], .arguments = {argv.begin() + 1, argv.end()}, .run = own_run()};
  Compiled done = compile_job(job);
  if (done.left) {
    const auto ran = run_program(resolve_program(argv[0]), argv, {.merged = true});
    if (!ran) return tl::unexpected(ran.error());
    done.status = ran->status;
    done.out = ran->out;
  } else if (done.outcome == Outcome::error) {
    return fail(ErrorKind::not_found, done.reason);
  }
  if (done.status == 0) return done.out + done.err;
  return fail(ErrorKind::bad_input, CompileError{argv, done.out + done.err}.text());
}

struct Registry {
  std::mutex mutex;
  std::map<std::string, JobFunction> jobs{{"command", run_command},
                                          {"ready", [](const std::string&) { return Result<std::string>("ready"); }}};
};

Registry& registry() {
  static Registry* all = new Registry;  // outlives every thread
  return *all;
}

}  // namespace

void register_job(const std::string& name, JobFunction function) {
  const std::lock_guard lock(registry().mutex);
  registry().jobs[name] = std::move(function);
}

std::string command_payload(const std::string& store, const std::vector<std::string>& argv) {
  std::string payload = store;
  for (const auto& word : argv) (payload += '\0') += word;
  return payload;
}

JobEnd run_job(const std::string& name, const std::string& payload, std::string& text) {
  JobFunction function;
  {
    const std::lock_guard lock(registry().mutex);
    if (const auto found = registry().jobs.find(name); found != registry().jobs.end()) function = found->second;
  }
  const std::string place = "job " + name + " in process " + std::to_string(::getpid()) + "\n";
  if (!function) {
    text = place + "no job of this name is registered there";
    return JobEnd::failed;
  }
  try {
    auto result = function(payload);
    if (result) {
      text = std::move(*result);
      return JobEnd::done;
    }
    const Error& error = result.error();
    text = place + error.what + (error.where.empty() ? "" : "\n(" + error.where + ")");  // with its lines
  } catch (const std::exception& e) {
    text = place + e.what();
  } catch (...) {
    text = place + "something was thrown that is no std::exception";
  }
  return JobEnd::failed;
}

}  // namespace keyhole
