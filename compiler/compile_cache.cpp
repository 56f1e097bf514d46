// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/compile_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>

#include "build_run.h"
#include "closure.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/brief.h"
#include "keyhole/compiler/command.h"
#include "keyhole/compiler/process.h"
#include "keyhole/compiler/toolchain.h"
#include "keyhole/key/canonical.h"
#include "manifest.h"
#include "stamp.h"

namespace keyhole {
namespace {

/// Part of every key: a change of what a key covers, or of what an entry holds, gets a new number.
constexpr const char* kProducer = "keyhole-cc-1";

constexpr const char* kDependencies = "dependencies";
constexpr const char* kOut = "stdout";
constexpr const char* kErr = "stderr";

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// Through a temporary name beside it, so that nobody sees half of it; a device is written to as it is.
bool put_output(const std::string& path, std::string_view bytes) {
  struct stat s {};
  const bool special = ::stat(path.c_str(), &s) == 0 && !S_ISREG(s.st_mode);
  const std::string temporary = special ? path : path + ".keyhole-" + std::to_string(::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (special ? 0 : O_EXCL), 0666);
  if (fd < 0) return false;
  const bool whole = write_all(fd, bytes);
  const bool closed = ::close(fd) == 0;
  if (whole && closed && (special || ::rename(temporary.c_str(), path.c_str()) == 0)) return true;
  if (!special) ::unlink(temporary.c_str());
  return false;
}

/// One compiler run for a command at a time, over all processes. A dead holder holds nothing.
class Turn {
 public:
  explicit Turn(std::string path) : path_(std::move(path)) {
    for (;;) {
      fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (fd_ < 0) return;
      if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        waited_ = true;
        while (::flock(fd_, LOCK_EX) != 0)
          if (errno != EINTR) return;
      }
      struct stat s {};
      if (::fstat(fd_, &s) == 0 && s.st_nlink > 0) return;
      ::close(fd_);  // the one before has removed the file: another may hold its successor
    }
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (fd_ < 0) return;
    ::unlink(path_.c_str());
    ::close(fd_);
  }
  [[nodiscard]] bool waited() const { return waited_; }

 private:
  std::string path_;
  int fd_ = -1;
  bool waited_ = false;
};

/// The components of a key, in order, and the key that they make.
class Parts {
 public:
  explicit Parts(std::string prefix) : builder_(std::move(prefix), kProducer) {}

  void add(std::string name, std::string_view value) { add_digest(std::move(name), sha256(value), std::string(value)); }
  /// `text` is how it is shown.
  void add_digest(std::string name, Digest digest, std::string text) {
    if (const int n = ++seen_[name]; n > 1) name += " #" + std::to_string(n);
    digest.bytes.back() &= 0xfe;  // the 255 bits that texts of digests carry
    builder_.add_imported(name, digest);
    components_.push_back({std::move(name), digest, std::move(text)});
  }
  [[nodiscard]] std::string key() const { return builder_.key().value_or(std::string()); }
  [[nodiscard]] std::vector<ComponentPtr> components() const {
    std::vector<ComponentPtr> out;
    for (const auto& c : components_) out.push_back(&c);
    return out;
  }

 private:
  KeyBuilder builder_;
  std::vector<Component> components_;
  std::map<std::string, int> seen_;
};

std::string shown(const Digest& digest) { return "sha256 " + digest.hex().substr(0, 16); }

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Compile {
 public:
  Compile(const std::string& store, std::string program, const std::string& word, const std::vector<std::string>& arguments)
      : store_(store), program_(std::move(program)), argv_{word.find('/') == std::string::npos ? word : program_}, begin_(os().now()), parts_("k") {
    argv_.insert(argv_.end(), arguments.begin(), arguments.end());
    CompilerKind kind = CompilerKind::gcc;
    known_ = compiler_named(word, kind) || compiler_named(program_, kind);
    if (known_) command_ = read_command(kind, arguments, [](const char* name) { return static_cast<const char*>(std::getenv(name)); });
    layer_ = kind == CompilerKind::nvcc ? Layer::cuda : Layer::code;
  }

  int run() {
    if (!known_) return pass("a compiler that is not known: " + program_);
    if (!command_.refusal.empty()) return pass(command_.refusal);
    if (auto problem = describe(); !problem.empty()) return pass(problem);
    if (const auto status = serve()) return *status;
    if (!make_folders(store_ + "/compile/locks") || !make_folders(folder_of_manifest())) return pass("the store cannot be written");
    const Turn turn(store_ + "/compile/locks/" + key_);
    if (turn.waited())
      if (const auto status = serve()) return *status;
    return compile();
  }

 private:
  /// Without the store: the compiler takes our place.
  int pass(const std::string& reason) {
    LookupRecord lookup = record(Outcome::bypass, "bypass");
    lookup.reason = reason;
    static_cast<void>(leave_lookup(store_, build_run(), lookup, 0));
    return start_compiler();
  }

  int start_compiler() const {
    const Error error = become_program(program_, argv_);
    std::fprintf(stderr, "keyhole: %s\n", error.line().c_str());
    return 127;
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

  /// Fills parts_ with all that the command says, and key_. Empty, or why it cannot be cached.
  std::string describe() {
    const auto variable = [](const char* name) { return static_cast<const char*>(std::getenv(name)); };
    ToolchainRequest request;
    request.kind = command_.kind;
    request.program = program_;
    request.host_compiler = command_.host_compiler;
    request.search_flags = command_.search_flags;
    request.c_language = command_.source.ends_with(".c");
    request.environment = key_environment(command_.kind, variable);
    request.memory = store_ + "/compile/toolchains";
    auto toolchain = find_toolchain(request);
    if (!toolchain) return toolchain.error().line();
    search_ = std::move(toolchain->search);
    search_.insert(search_.end(), command_.include_dirs.begin(), command_.include_dirs.end());

    parts_.add("source", command_.source);
    if (toolchain->opaque) {
      if (command_.kind != CompilerKind::nvcc) return "a script stands before the compiler: " + program_;
      const std::string steps = planned_steps();
      if (steps.empty()) return "nvcc --dryrun does not tell its steps: " + program_;
      parts_.add("steps", steps);
    }
    for (const auto& tool : toolchain->tools)
      parts_.add_digest("toolchain[" + tool.name + "]", tool.digest, tool.path + ", " + shown(tool.digest));
    for (const auto& option : command_.options) {
      std::string text = option.value.empty() ? "given" : option.value;
      if (!option.origin.empty()) text += " (" + option.origin + ")";
      parts_.add_digest("option[" + option.name + "]", sha256(option.value), std::move(text));
    }
    for (const auto& [name, value] : request.environment) parts_.add("environment[" + name + "]", value);
    if (command_.folder_matters) {
      char* folder = ::getcwd(nullptr, 0);
      parts_.add("folder", folder != nullptr ? folder : "");
      std::free(folder);
    }
    Digest source;
    if (!digest_file(command_.source, source)) return "the source cannot be read";
    Parts with_source = parts_;
    with_source.add_digest("include[" + command_.source + "]", source, {});
    key_ = with_source.key();
    return key_.empty() ? "no key" : "";
  }

  /// What nvcc would run for this very command, behind whatever script: without the process ids in the names of its
  /// temporary files. Empty: it does not tell.
  [[nodiscard]] std::string planned_steps() const {
    auto argv = argv_;
    argv.emplace_back("--dryrun");
    const auto said = run_program(program_, argv);
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

  [[nodiscard]] std::string folder_of_manifest() const { return store_ + "/compile/manifests/" + key_.substr(1, 2); }
  [[nodiscard]] std::string manifest() const { return folder_of_manifest() + '/' + key_; }

  /// The exit status where the store has the result and it could be put in place.
  std::optional<int> serve() {
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
      if (!restore(found.entry)) return start_compiler();  // it tells its own way what cannot be written
      LookupRecord lookup = record(Outcome::hit, "hit");
      lookup.key = variant.result;
      lookup.saved = found.entry.cost;
      static_cast<void>(leave_lookup(store_, build_run(), lookup, found.entry.id));
      return 0;
    }
    return std::nullopt;
  }

  [[nodiscard]] bool restore(const FoundEntry& entry) const {
    const auto file = [&](std::string_view name) -> std::string_view {
      for (const auto& f : entry.files)
        if (f.name == name) return f.bytes;
      return {};
    };
    if (!put_output(command_.output, entry.bytes)) return false;
    if (!command_.dependencies.empty() && !put_output(command_.dependencies, file(kDependencies))) return false;
    return write_all(STDOUT_FILENO, file(kOut)) && write_all(STDERR_FILENO, file(kErr));
  }

  int compile() {
    // What was saved in the tick in which the compile begins could not be told from what is saved while it runs.
    if (!stamp_of(command_.source).settled(file_clock())) wait_for_tick();
    ClosureRequest closing;
    closing.source = command_.source;
    closing.start = file_clock();
    closing.time_is_fixed = std::getenv("SOURCE_DATE_EPOCH") != nullptr;
    closing.search = search_;
    if (command_.kind != CompilerKind::nvcc) closing.pre_included.emplace_back("stdc-predef.h");  // nvcc's passes show it
    for (const auto& option : command_.options)
      if (option.name.ends_with("-include")) closing.pre_included.push_back(option.value);

    const bool nvcc = command_.kind == CompilerKind::nvcc;
    // A folder of its own, the same for the same command: its name enters debug information, and the names of the files
    // in it, unlike those that nvcc makes up, have no process id in them.
    const std::string keep = store_ + "/compile/keep/" + key_;
    auto argv = argv_;
    if (nvcc) {
      remove_folder(keep);
      if (!make_folders(keep)) return pass("the store cannot be written");
      argv.insert(argv.end(), {"--keep", "--keep-dir", keep});
    } else {
      argv.emplace_back("-H");
    }
    const std::int64_t begin = os().monotonic();
    auto ran = run_program(program_, argv);
    const Nanoseconds cost = os().monotonic() - begin;
    if (!ran) {
      remove_folder(keep);
      return start_compiler();
    }
    bool plain = true;
    if (nvcc)
      read_kept(keep, closing.entered);
    else
      plain = take_header_lines(ran->err, command_.source, closing.entered);
    if (nvcc) remove_folder(keep);
    write_all(STDOUT_FILENO, ran->out);
    write_all(STDERR_FILENO, ran->err);
    if (ran->status != 0) {
      LookupRecord lookup = record(Outcome::miss, "compile_failed");
      lookup.key = key_;
      lookup.cost = cost;
      lookup.save_error = "the compiler ended with status " + std::to_string(ran->status);
      lookup.components = parts_.components();
      static_cast<void>(leave_lookup(store_, build_run(), lookup, 0));
      return ran->status;
    }
    keep_result(*ran, closing, plain, cost);
    return 0;
  }

  static void read_kept(const std::string& folder, std::vector<Entered>& entered) {
    std::vector<std::string> names;
    os().list(folder, names);
    for (const auto& name : names) {
      if (!name.ends_with(".ii") && !name.ends_with(".i")) continue;
      if (const auto text = read_file(joined(folder, name))) read_line_markers(*text, entered);
    }
    std::sort(entered.begin(), entered.end());
    entered.erase(std::unique(entered.begin(), entered.end()), entered.end());
  }

  void keep_result(const Finished& ran, const ClosureRequest& closing, bool plain, Nanoseconds cost) {
    Closure closure = close_over(closing);
    if (!plain) closure.refusal = "a precompiled header was used";
    if (command_.kind == CompilerKind::nvcc && closing.entered.empty()) closure.refusal = "nvcc left no preprocessed files";
    for (const auto& file : command_.option_files)  // read again by the compiler, after we read them
      if (!stamp_of(file).settled(closing.start)) closure.refusal = "an options file changed during the compile";
    const auto object = read_file(command_.output);
    const auto dependencies = command_.dependencies.empty() ? Result<std::string>("") : read_file(command_.dependencies);
    if (!object || !dependencies) closure.refusal = "the compiler did not write what its command says";
    if (!closure.refusal.empty()) {
      LookupRecord lookup = record(Outcome::bypass, "bypass");
      lookup.reason = closure.refusal + (closure.refused_file.empty() ? "" : ": " + closure.refused_file);
      static_cast<void>(leave_lookup(store_, build_run(), lookup, 0));
      return;
    }
    Sha256 looked_for;
    std::size_t count = 0;
    for (const auto& folder : closure.folders)
      for (const auto* names : {&folder.missing, &folder.present})
        for (const auto& name : *names) {
          looked_for.update(names == &folder.missing ? "-" : "+").update(joined(folder.path, name)).update("\n");
          ++count;
        }
    for (const auto& file : closure.files) parts_.add_digest("include[" + file.path + "]", file.digest, shown(file.digest));
    parts_.add_digest("looked_for", looked_for.finish(), std::to_string(count) + " places without what was included");
    const std::string result = parts_.key();
    const auto components = parts_.components();

    LookupRecord lookup = record(Outcome::miss, "full_miss");
    lookup.key = result;
    lookup.cost = cost;
    lookup.components = components;
    if (const auto saved = save(result, *object, *dependencies, ran, components, cost); !saved)
      lookup.save_error = saved.error().line();
    else
      remember(result, std::move(closure), lookup);
    static_cast<void>(leave_lookup(store_, build_run(), lookup, 0));
  }

  Result<void> save(const std::string& result, const std::string& object, const std::string& dependencies,
                    const Finished& ran, const std::vector<ComponentPtr>& components, Nanoseconds cost) {
    std::vector<NamedFile> files;
    if (!command_.dependencies.empty()) files.push_back({kDependencies, dependencies});
    if (!ran.out.empty()) files.push_back({kOut, ran.out});
    if (!ran.err.empty()) files.push_back({kErr, ran.err});
    std::string metadata = "{\"command\":[";
    for (const auto& word : argv_) metadata += (metadata.back() == '[' ? "" : ",") + json_text(word);
    metadata += "],\"source\":" + json_text(command_.source) + ",\"output\":" + json_text(command_.output) + "}";
    auto cache = ArtifactCache::open(store_, {.record = false});
    if (!cache) return tl::unexpected(cache.error());
    NewEntry entry;
    entry.layer = layer_;
    entry.key = result;
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
    if (const auto written = write_manifest(manifest(), variants); !written) lookup.save_error = written.error().line();
  }

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

int compile_through(const std::string& store, const std::string& program, const std::vector<std::string>& arguments) {
  const std::string path = resolve_program(program);
  if (path.empty()) {
    std::fprintf(stderr, "keyhole: %s\n", Error{ErrorKind::not_found, "no such compiler", program, "give its path, or put it on PATH"}.line().c_str());
    return 127;
  }
  return Compile(store, path, program, arguments).run();
}

}  // namespace keyhole
