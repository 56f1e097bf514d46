// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/compile_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "build_run.h"
#include "closure.h"
#include "keyhole/base/environment.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/compiler/process.h"
#include "keyhole/compiler/toolchain.h"
#include "keyhole/key/hash.h"
#include "manifest.h"
#include "output.h"
#include "parts.h"
#include "stamp.h"

namespace keyhole {
namespace {

constexpr const char* kDependencies = "dependencies";
constexpr const char* kOut = "stdout";
constexpr const char* kErr = "stderr";

class Compile {
 public:
  explicit Compile(const CompileJob& job)
      : job_(job), store_(job.store), program_(resolve_program(job.program)), begin_(os().now()) {
    argv_.push_back(job.program.find('/') == std::string::npos ? job.program : program_);
    argv_.insert(argv_.end(), job.arguments.begin(), job.arguments.end());
    CompilerKind kind = CompilerKind::gcc;
    known_ = compiler_named(job.program, kind) || compiler_named(program_, kind);
    if (known_) command_ = read_command(kind, job.arguments, std::getenv, job.rules);
    layer_ = kind == CompilerKind::nvcc ? Layer::cuda : Layer::code;
  }

  Compiled run() {
    if (program_.empty())
      return {.outcome = Outcome::error, .status = 127, .reason = "no such compiler: " + job_.program};
    if (!known_) return pass("a compiler that is not known: " + program_);
    if (!command_.refusal.empty()) return pass(command_.refusal);
    for (const std::string* path : {&command_.output, &command_.dependencies})
      if (!is_plain_output(*path)) return pass("the output is not a plain file: " + *path);
    if (auto problem = describe(); !problem.empty()) return pass(problem);
    if (auto served = serve()) return std::move(*served);
    const std::string locks = store_ + "/compile/locks";
    if (!make_folders(locks) || !make_folders(folder_of_manifest())) return pass("the store cannot be written");
    const Turn turn(locks + '/' + key_);
    if (turn.waited())
      if (auto served = serve()) return std::move(*served);
    sweep_kept(store_ + "/compile/keep", locks);
    return compile();
  }

  [[nodiscard]] const std::string& program() const { return program_; }
  [[nodiscard]] const std::vector<std::string>& argv() const { return argv_; }

 private:
  [[nodiscard]] Compiled pass(const std::string& reason) const {
    note_bypass(reason);
    return {.outcome = Outcome::bypass, .left = true, .reason = reason};
  }

  void note_bypass(const std::string& reason) const {
    LookupRecord lookup = record(Outcome::bypass, "bypass");
    lookup.reason = reason;
    note(lookup, 0);
  }

  void note(const LookupRecord& lookup, std::int64_t entry) const {
    static_cast<void>(leave_lookup(store_, job_.run, lookup, entry));
  }

  [[nodiscard]] LookupRecord record(Outcome outcome, const char* status) const {
    LookupRecord lookup;
    lookup.layer = layer_;
    lookup.outcome = outcome;
    lookup.status = status;
    lookup.time = begin_;
    lookup.duration = os().now() - begin_;
    return lookup;
  }

  [[nodiscard]] std::string folder() const { return job_.folder.empty() ? working_folder() : job_.folder; }

  /// Fills parts_ with all that the command says, and key_. Empty, or why it cannot be cached.
  std::string describe() {
    const auto relative = [](const std::string& path) { return !path.empty() && path.front() != '/'; };
    if (!job_.folder.empty() && (relative(command_.source) || relative(command_.output) ||
                                 std::any_of(command_.include_dirs.begin(), command_.include_dirs.end(), relative)))
      return "a relative path, in a folder that is not the working folder";
    ToolchainRequest request;
    request.kind = command_.kind;
    request.program = program_;
    request.host_compiler = command_.host_compiler;
    request.search_flags = command_.search_flags;
    request.c_language = is_c();
    request.links = command_.links;
    request.environment = key_environment(command_.kind, std::getenv);
    request.memory = store_ + "/compile/toolchains";
    auto toolchain = find_toolchain(request);
    if (!toolchain) return toolchain.error().line();
    search_ = std::move(toolchain->search);
    search_.insert(search_.end(), command_.include_dirs.begin(), command_.include_dirs.end());

    if (!command_.source.empty()) parts_.add("source", command_.source);
    if (toolchain->opaque) {
      if (command_.kind != CompilerKind::nvcc) return "a script stands before the compiler: " + program_;
      const std::string steps = planned_steps();
      if (steps.empty()) return "nvcc --dryrun does not tell its steps: " + program_;
      parts_.add("steps", steps);
    }
    for (const auto& tool : toolchain->tools) parts_.add_tool(tool);
    for (const auto& option : command_.options) parts_.add_option(option);
    if (command_.native) {
      const std::string meaning = meaning_of_native();
      if (meaning.empty()) return "the compiler does not tell what native stands for";
      parts_.add("native", meaning);
    }
    for (const auto& [name, value] : request.environment) parts_.add("environment[" + name + "]", value);
    if (command_.links)
      if (const char* path = std::getenv("LIBRARY_PATH")) parts_.add("environment[LIBRARY_PATH]", path);
    if (command_.folder_matters) parts_.add("folder", folder());
    Parts with_inputs = parts_;
    std::vector<std::string> inputs = command_.objects;
    if (!command_.source.empty()) inputs.push_back(command_.source);
    for (const auto& path : inputs) {
      ClosureFile file{path, {}, {}};
      if (!digest_file(path, file.digest)) return "the source cannot be read";
      with_inputs.add_file(file);
    }
    key_ = with_inputs.key();
    return key_.empty() ? "no key" : "";
  }

  /// The search path of C is a part of that of C++: only where it is certain.
  [[nodiscard]] bool is_c() const {
    const bool told = std::any_of(command_.options.begin(), command_.options.end(),
                                  [](const CompileOption& option) { return option.name == "-x"; });
    return command_.source.ends_with(".c") && !told && program_.find("++") == std::string::npos;
  }

  /// What nvcc would run for this very command, behind whatever script: without the process ids in the names of its
  /// temporary files. Empty: it does not tell.
  [[nodiscard]] std::string planned_steps() const {
    auto argv = argv_;
    argv.emplace_back("--dryrun");
    const auto said = run_program(program_, argv, {.environment = {}, .folder = job_.folder});
    if (!said || said->status != 0) return {};
    constexpr std::string_view mark = "tmpxft_";
    std::string steps;
    std::string_view rest = said->err;
    while (!rest.empty()) {
      const auto at = std::min(rest.find(mark), rest.size());
      steps += rest.substr(0, at);
      rest.remove_prefix(at);
      if (rest.empty()) break;
      steps += mark;
      rest.remove_prefix(mark.size());
      rest.remove_prefix(std::min(rest.find_first_not_of("0123456789abcdef"), rest.size()));  // the process
    }
    return steps;
  }

  /// The options that the compiler puts in place of "native", on this processor.
  [[nodiscard]] std::string meaning_of_native() const {
    std::vector<std::string> argv{program_};
    for (const auto& option : command_.options)
      if (option.name.ends_with("=native")) argv.push_back(option.name);
    argv.insert(argv.end(), {"-###", "-E", "-x", "c++", "/dev/null"});
    const auto said = run_program(program_, argv, {.environment = {"LC_ALL=C"}, .folder = {}});
    return said && said->status == 0 ? said->err : std::string();
  }

  [[nodiscard]] std::string folder_of_manifest() const { return store_ + "/compile/manifests/" + key_.substr(1, 2); }
  [[nodiscard]] std::string manifest() const { return folder_of_manifest() + '/' + key_; }

  /// Absent where the store does not have the result.
  std::optional<Compiled> serve() {
    auto variants = read_manifest(manifest());
    for (auto& variant : variants) {
      bool refreshed = false;
      if (!still_holds(variant.closure, refreshed)) continue;
      auto cache = ArtifactCache::open(store_, {.record = false, .only_read = true});
      if (!cache) return std::nullopt;
      LookupRequest request;
      request.layer = layer_;
      request.key = variant.result;
      const CacheLookup found = (*cache)->get(request);
      if (!found.hit()) continue;
      if (refreshed) static_cast<void>(write_manifest(manifest(), variants));
      // Where it cannot be put in place, the compiler tells that its own way.
      if (!restore(found.entry))
        return Compiled{.outcome = Outcome::error, .left = true, .reason = "the output cannot be written"};
      LookupRecord lookup = record(Outcome::hit, "hit");
      lookup.key = variant.result;
      lookup.saved = found.entry.cost;
      note(lookup, found.entry.id);
      return Compiled{.outcome = Outcome::hit,
                      .key = variant.result,
                      .out = std::string(file_of(found.entry, kOut)),
                      .err = std::string(file_of(found.entry, kErr))};
    }
    return std::nullopt;
  }

  static std::string_view file_of(const FoundEntry& entry, std::string_view name) {
    for (const auto& f : entry.files)
      if (f.name == name) return f.bytes;
    return {};
  }

  [[nodiscard]] bool restore(const FoundEntry& entry) const {
    // A library that is loaded stays the file that it is.
    const bool there = command_.links && read_file(command_.output).value_or(std::string()) == entry.bytes;
    if (!there && !put_output(command_.output, entry.bytes, command_.links)) return false;
    return command_.dependencies.empty() || put_output(command_.dependencies, file_of(entry, kDependencies));
  }

  Compiled compile() {
    ClosureRequest closing;
    closing.source = command_.source;
    closing.plain = command_.objects;
    // What was saved in the tick in which the compile begins could not be told from what is saved while it runs.
    closing.start = wait_for_clock(begin_);
    closing.time_is_fixed = std::getenv("SOURCE_DATE_EPOCH") != nullptr;
    closing.search = search_;
    const bool nvcc = command_.kind == CompilerKind::nvcc;
    if (!nvcc) closing.pre_included.emplace_back("stdc-predef.h");  // nvcc's passes show it
    for (const auto& option : command_.options)
      if (option.name.ends_with("-include")) closing.pre_included.push_back(option.value);

    // A folder of its own, the same for the same command: its name enters debug information, and the names of the files
    // in it, unlike those that nvcc makes up, have no process id in them.
    const std::string keep = store_ + "/compile/keep/" + key_, linked = keep + "/inputs";
    auto argv = argv_;
    RunOptions options{.environment = {}, .folder = job_.folder};
    if (nvcc || command_.links) {
      remove_folder(keep);
      if (!make_folders(keep)) return pass("the store cannot be written");
    }
    if (command_.links) {
      argv.insert(argv.end(), {nvcc ? "-Xlinker=--dependency-file=" + linked : "-Wl,--dependency-file=" + linked});
      options.environment.push_back("TMPDIR=" + keep);  // what is only passed on from step to step lies there
    }
    const std::string list = header_list(keep);
    closing.flat = !list.empty();
    if (closing.flat && command_.dependencies.empty()) {
      if (!make_folders(keep)) return pass("the store cannot be written");
      options.environment.push_back("SUNPRO_DEPENDENCIES=" + list);
    } else if (!nvcc && !closing.flat) {
      argv.emplace_back("-H");
    } else if (nvcc && !command_.source.empty()) {
      argv.insert(argv.end(), {"--keep", "--keep-dir", keep});
    }
    const std::int64_t begin = os().monotonic();
    auto ran = run_program(program_, argv, options);
    const Nanoseconds cost = os().monotonic() - begin;
    if (!ran) {
      remove_folder(keep);
      return {.outcome = Outcome::error, .left = true, .reason = ran.error().line()};
    }
    bool plain = true;
    if (nvcc)
      read_kept(keep, closing.entered);
    else if (closing.flat)
      read_list(list, closing.entered);
    else
      plain = take_header_lines(ran->err, command_.source, closing.entered);
    if (command_.links) read_linked(linked, keep, closing);
    if (nvcc || command_.links || closing.flat) remove_folder(keep);
    closing.said = !ran->out.empty() || !ran->err.empty();
    Compiled done{.outcome = Outcome::miss, .status = ran->status, .out = ran->out, .err = ran->err};
    if (ran->status != 0)
      note_failure(closing, cost, ran->signal != 0, done);
    else
      keep_result(closing, plain, cost, done);
    return done;
  }

  /// Where gcc writes its options into the result (-g, -fverbose-asm), -H would be one of them: the file that lists the
  /// headers instead. The user's own, where that names those of the system too; else gcc is told by a variable, which
  /// it follows only without options for dependencies. Empty: -H.
  [[nodiscard]] std::string header_list(const std::string& keep) const {
    if (command_.kind != CompilerKind::gcc || command_.links) return {};
    const auto given = [&](std::string_view name, std::string_view value) {
      return std::any_of(command_.options.begin(), command_.options.end(), [&](const CompileOption& option) {
        return option.name == name && (value.empty() || option.value == value);
      });
    };
    if (given("-MMD", {}) || (!command_.folder_matters && !given("-f", "verbose-asm"))) return {};
    if (!command_.dependencies.empty()) return command_.dependencies;
    return keep.find_first_of(" \n") == std::string::npos ? keep + "/headers" : std::string();
  }

  static void read_list(const std::string& list, std::vector<Entered>& entered) {
    std::vector<std::string> files;
    if (const auto text = read_file(list)) read_link_inputs(*text, files);
    for (auto& file : files) entered.push_back({std::move(file), {}});
  }

  void note_failure(const ClosureRequest& closing, Nanoseconds cost, bool killed, Compiled& done) const {
    LookupRecord lookup = record(Outcome::miss, "compile_failed");
    lookup.key = done.key = key_;
    lookup.cost = cost;
    lookup.save_error = "the compiler ended with status " + std::to_string(done.status);
    if (const auto said = first_error(done); !said.empty()) lookup.save_error += ": " + said;
    lookup.components = parts_.components();
    note(lookup, 0);
    // What a preprocessor read that gave up is not known of nvcc, whose passes leave nothing then.
    const bool gave_up = command_.kind == CompilerKind::nvcc && said_by_gcc(done.err + done.out);
    if (gave_up || killed || command_.links || closing.flat) return;
    Closure closure = close_over(closing);
    if (closure.refusal.empty()) done.failure = manifest_text({{key_, std::move(closure)}});
  }

  /// "file:17:4: error:", as gcc tells of errors; nvcc's own programs say "file(17): error:".
  static bool said_by_gcc(std::string_view text) {
    for (auto at = text.find("error:"); at != std::string_view::npos; at = text.find("error:", at + 1)) {
      auto before = text.substr(0, at);
      if (before.ends_with("fatal ")) before.remove_suffix(6);
      if (before.size() > 3 && before.ends_with(": ") && before[before.size() - 3] >= '0' &&
          before[before.size() - 3] <= '9')
        return true;
    }
    return false;
  }

  /// The first line that tells of an error, whole but bounded.
  static std::string first_error(const Compiled& done) {
    for (const std::string* text : {&done.err, &done.out}) {
      const auto at = text->find("error");
      if (at == std::string::npos) continue;
      const auto begin = at == 0 ? 0 : text->rfind('\n', at) + 1;
      return text->substr(begin, std::min<std::size_t>(text->find('\n', at) - begin, 300));
    }
    return {};
  }

  /// Megabytes, through a window that stays in the processor's cache.
  static void read_preprocessed(const std::string& path, std::vector<Entered>& entered) {
    const int fd = os().open(path, O_RDONLY);
    if (fd < 0) return;
    LineMarkers markers(entered);
    std::string window(std::size_t{256} << 10, '\0');
    std::size_t have = 0;
    for (;;) {
      const auto n = os().read(fd, window.data() + have, window.size() - have);
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
      const std::size_t rest = markers.read(std::string_view(window).substr(0, have));
      have -= rest;
      std::memmove(window.data(), window.data() + rest, have);
      if (have == window.size()) window.resize(2 * have);
    }
    os().close(fd);
  }

  static void read_kept(const std::string& folder, std::vector<Entered>& entered) {
    std::vector<std::string> names;
    os().list(folder, names);
    for (const auto& name : names) {
      if (!name.ends_with(".ii") && !name.ends_with(".i")) continue;
      read_preprocessed(joined(folder, name), entered);
    }
    std::sort(entered.begin(), entered.end());
    entered.erase(std::unique(entered.begin(), entered.end()), entered.end());
  }

  /// What the linker read, but for what the steps before it made; and where it looked for the libraries.
  void read_linked(const std::string& list, const std::string& keep, ClosureRequest& closing) const {
    std::vector<std::string> files;
    if (const auto text = read_file(list)) read_link_inputs(*text, files);
    for (auto& file : files)
      if (!file.starts_with(keep)) closing.plain.push_back(std::move(file));
    std::vector<std::string> folders = command_.library_dirs;
    const std::string library_path = environment_variable("LIBRARY_PATH");
    for (std::string_view rest = library_path; !rest.empty();) {
      const auto end = std::min(rest.find(':'), rest.size());
      if (end > 0) folders.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    for (const auto& folder : folders)
      for (const auto& library : command_.libraries)
        for (const char* suffix : {".so", ".a"}) closing.places.push_back(joined(folder, "lib" + library + suffix));
  }

  void keep_result(const ClosureRequest& closing, bool plain, Nanoseconds cost, Compiled& done) {
    Closure closure = close_over(closing);
    if (!plain) closure.refusal = "a precompiled header was used";
    if (command_.kind == CompilerKind::nvcc && !command_.source.empty() && closing.entered.empty())
      closure.refusal = "nvcc left no preprocessed files";
    if (closing.flat && closing.entered.empty()) closure.refusal = "the compiler does not tell what it read";
    if (command_.links && closing.plain.size() == command_.objects.size())
      closure.refusal = "the linker does not tell what it read";
    for (const auto& file : command_.option_files)  // read again by the compiler, after we read them
      if (!stamp_of(file).settled(closing.start)) closure.refusal = "an options file changed during the compile";
    const auto object = read_file(command_.output);
    const auto dependencies =
        command_.dependencies.empty() ? Result<std::string>("") : read_file(command_.dependencies);
    if (!object || !dependencies) closure.refusal = "the compiler did not write what its command says";
    if (!closure.refusal.empty()) {
      done.outcome = Outcome::bypass;
      done.reason = closure.refusal + (closure.refused_file.empty() ? "" : ": " + closure.refused_file);
      return note_bypass(done.reason);
    }
    for (const auto& file : closure.files) parts_.add_file(file);
    for (const auto& folder : closure.folders) parts_.add_looked_for(folder);
    done.key = parts_.key();

    LookupRecord lookup = record(Outcome::miss, "full_miss");
    lookup.key = done.key;
    lookup.cost = cost;
    lookup.components = parts_.components();
    if (const auto saved = save(done, *object, *dependencies, lookup.components, cost); !saved)
      lookup.save_error = saved.error().line();
    else
      remember(done.key, std::move(closure), lookup);
    note(lookup, 0);
  }

  [[nodiscard]] Result<void> save(const Compiled& done, const std::string& object, const std::string& dependencies,
                                  const std::vector<ComponentPtr>& components, Nanoseconds cost) const {
    std::vector<NamedFile> files;
    if (!command_.dependencies.empty()) files.push_back({kDependencies, dependencies});
    if (!done.out.empty()) files.push_back({kOut, done.out});
    if (!done.err.empty()) files.push_back({kErr, done.err});
    std::string metadata = "{\"command\":[";
    for (const auto& word : argv_) metadata += (metadata.back() == '[' ? "" : ",") + json_text(word);
    metadata += "],\"source\":" + json_text(command_.source) + ",\"output\":" + json_text(command_.output) +
                ",\"folder\":" + json_text(folder()) + "}";
    auto cache = ArtifactCache::open(store_, {.record = false});
    if (!cache) return tl::unexpected(cache.error());
    NewEntry entry;
    entry.layer = layer_;
    entry.key = done.key;
    entry.bytes = object;
    entry.files = files;
    entry.metadata = metadata;
    entry.components = components;
    entry.cost = cost;
    if (auto put = (*cache)->put(entry); !put) return tl::unexpected(put.error());
    return {};
  }

  void remember(const std::string& result, Closure closure, LookupRecord& lookup) const {
    auto variants = read_manifest(manifest());
    std::erase_if(variants, [&](const Variant& v) { return v.result == result; });
    variants.insert(variants.begin(), {result, std::move(closure)});
    if (const auto written = write_manifest(manifest(), variants); !written)
      lookup.save_error = written.error().line();
    else
      bound_manifests(folder_of_manifest(), manifest());
  }

  const CompileJob& job_;
  const std::string& store_;
  std::string program_;
  std::vector<std::string> argv_;
  std::int64_t begin_;
  bool known_ = false;
  Layer layer_ = Layer::code;
  CompileCommand command_;
  std::vector<std::string> search_;
  Parts parts_;
  std::string key_;
};

}  // namespace

Compiled compile_job(const CompileJob& job) {
  return Compile(job).run();
}

bool watched_failure_holds(const std::string& failure) {
  auto variants = parse_manifest(failure);
  bool refreshed = false;
  return variants.size() == 1 && still_holds(variants.front().closure, refreshed);
}

int compile_through(const std::string& store, const std::string& program, const std::vector<std::string>& arguments) {
  const CompileJob job{.store = store, .program = program, .arguments = arguments, .run = build_run()};
  Compile compile(job);
  if (compile.program().empty()) {
    std::fprintf(
        stderr, "keyhole: %s\n",
        Error{ErrorKind::not_found, "no such compiler", program, "give its path, or put it on PATH"}.line().c_str());
    return 127;
  }
  Compiled done;
  int signal = 0;
  {
    const ForwardSignals forwarding;
    done = compile.run();
    signal = ForwardSignals::received();
  }
  if (signal != 0) {  // tidied up: now it ends us as it would have
    std::raise(signal);
    return 128 + signal;
  }
  if (done.left) {
    const Error error = become_program(compile.program(), compile.argv());
    std::fprintf(stderr, "keyhole: %s\n", error.line().c_str());
    return 127;
  }
  const bool told = write_all(STDOUT_FILENO, done.out) && write_all(STDERR_FILENO, done.err);
  return done.status != 0 || told ? done.status : 1;
}

}  // namespace keyhole
