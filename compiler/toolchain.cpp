// SPDX-License-Identifier: Apache-2.0
// Remembered in <memory>/<digest of the request>:
//   keyhole-toolchain 1 <crc32c of the rest, decimal>
//   chain <path>                  from the program to what it runs, without links
//   opaque                        the last of the chain is a script that cannot be read
//   tool <stamp> <sha-256 hex> <name> <path>
//   word <name> <path>            what a bare name was found as
//   search <folder>
#include "keyhole/compiler/toolchain.h"

#include <unistd.h>

#include <algorithm>

#include "closure.h"
#include "keyhole/base/environment.h"
#include "keyhole/base/os.h"
#include "keyhole/compiler/process.h"
#include "keyhole/key/hash.h"
#include "manifest.h"
#include "stamp.h"

namespace keyhole {
namespace {

constexpr std::string_view kToolchainHead = "keyhole-toolchain 1";
constexpr std::size_t kLongestShim = 4096;

template <class Use>
void each_part(std::string_view text, char separator, Use use) {
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool is_program(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0 && !stamp_of(path).directory;
}

std::string on_path(const std::string& word, std::string_view path) {
  if (word.find('/') != std::string::npos) return word;
  std::string found;
  each_part(path, ':', [&](std::string_view folder) {
    if (found.empty())
      if (auto candidate = joined(folder.empty() ? "." : folder, word); is_program(candidate))
        found = std::move(candidate);
  });
  return found;
}

/// What a one-line shim runs. False: a script that cannot be followed. `target` stays empty where it is no script.
bool follow_shim(const std::string& path, std::string& target) {
  const Stamp stamp = stamp_of(path);
  const int fd = os().open(path, 0);
  char head[2] = {};
  const bool script = fd >= 0 && os().read(fd, head, 2) == 2 && head[0] == '#' && head[1] == '!';
  if (fd >= 0) os().close(fd);
  if (!script) return true;
  if (stamp.size > static_cast<std::int64_t>(kLongestShim)) return false;
  const auto text = read_file(path, kLongestShim);
  if (!text) return false;
  bool simple = true;
  each_part(*text, '\n', [&](std::string_view line) {
    if (line.empty() || line.front() == '#') return;
    constexpr std::string_view begin = "exec ", end = " \"$@\"";
    if (!target.empty() || !line.starts_with(begin) || !line.ends_with(end) ||
        line.size() < begin.size() + end.size()) {
      simple = false;
      return;
    }
    const auto word = line.substr(begin.size(), line.size() - begin.size() - end.size());
    simple = simple && !word.empty() && word.front() == '/' &&
             word.find_first_of(" $`'\"\\*?[~;&|<>()") == std::string_view::npos;
    target = word;
  });
  return simple && !target.empty();
}

struct Remembered {
  std::vector<std::string> chain;
  bool opaque = false;
  std::vector<std::pair<Stamp, Tool>> tools;
  std::vector<std::pair<std::string, std::string>> words;
  std::vector<std::string> search;
};

/// From the program to what it runs.
void follow(const std::string& program, Remembered& found) {
  std::string at = program;
  for (int i = 0; i < 8 && !at.empty(); ++i) {
    found.chain.push_back(at);
    const std::string real = real_path(at);
    if (real.empty()) return;
    if (real != at) found.chain.push_back(real);
    std::string target;
    if (!follow_shim(real, target)) found.opaque = true;
    at = std::move(target);
  }
}

bool read_memory(const std::string& path, Remembered& out) {
  const auto bytes = read_file(path, std::size_t{1} << 20);
  std::string_view rest;
  if (!bytes || !open_checked(*bytes, kToolchainHead, rest)) return false;
  bool sound = true;
  each_part(rest, '\n', [&](std::string_view line) {
    const auto space = line.find(' ');
    const auto kind = line.substr(0, space);
    auto value = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    const auto two = [&](std::string& first, std::string& second) {
      const auto cut = value.find(' ');
      if (cut == std::string_view::npos) return sound = false;
      first = value.substr(0, cut);
      second = value.substr(cut + 1);
      return true;
    };
    if (kind == "chain") {
      out.chain.emplace_back(value);
    } else if (kind == "opaque") {
      out.opaque = true;
    } else if (kind == "search") {
      out.search.emplace_back(value);
    } else if (kind == "word") {
      std::pair<std::string, std::string> word;
      if (two(word.first, word.second)) out.words.push_back(std::move(word));
    } else if (kind == "tool") {
      std::pair<Stamp, Tool> tool;
      sound = sound && read_stamp(value, tool.first) && value.size() > 65 &&
              read_hex(value.substr(0, 64), tool.second.digest);
      if (!sound) return;
      value.remove_prefix(65);
      if (two(tool.second.name, tool.second.path)) out.tools.push_back(std::move(tool));
    }
  });
  return sound && !out.tools.empty();
}

void write_memory(const std::string& path, const Remembered& r) {
  std::string text;
  for (const auto& link : r.chain) text += "chain " + link + '\n';
  if (r.opaque) text += "opaque\n";
  for (const auto& [stamp, tool] : r.tools)
    text += "tool " + text_of(stamp) + tool.digest.hex() + ' ' + tool.name + ' ' + tool.path + '\n';
  for (const auto& [word, found] : r.words) text += "word " + word + ' ' + found + '\n';
  for (const auto& folder : r.search) text += "search " + folder + '\n';
  static_cast<void>(
      write_file_atomic(path, checked(kToolchainHead, text)));  // not remembered: found again the next time
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

class Discovery {
 public:
  Discovery(const ToolchainRequest& request, const Remembered& before, Remembered& found)
      : request_(request), before_(before), found_(found) {}

  Result<void> run() {
    start_ = file_clock();
    for (const auto& link : found_.chain)
      if (real_path(link) == link) add(std::string(base_of(link)), link);
    if (request_.kind == CompilerKind::nvcc) {
      if (auto asked = ask_nvcc(); !asked) return asked;
    } else {
      host_ = request_.program;
      path_ = environment_variable("PATH");
    }
    if (auto asked = ask_host(); !asked) return asked;
    return problem_.empty() ? Result<void>()
                            : fail(ErrorKind::not_found, "a part of the compiler is missing", problem_);
  }

 private:
  void add(std::string name, const std::string& path) {
    if (std::any_of(found_.tools.begin(), found_.tools.end(), [&](const auto& t) { return t.second.path == path; }))
      return;
    const Stamp stamp = stamp_of(path);
    std::replace(name.begin(), name.end(), ' ', '_');
    for (const auto& [known, tool] : before_.tools)
      if (tool.path == path && known.exists() && known == stamp) {
        found_.tools.push_back({stamp, {name, path, tool.digest}});
        return;
      }
    Tool tool{name, path, {}};
    if (!digest_file(path, tool.digest)) {
      if (problem_.empty()) problem_ = path;
      return;
    }
    found_.tools.push_back({stamp.settled(start_) ? stamp : Stamp{}, std::move(tool)});
  }

  void add_search(const std::string& folder) {
    if (!folder.empty() && std::find(found_.search.begin(), found_.search.end(), folder) == found_.search.end())
      found_.search.push_back(folder);
  }

  std::string word(const std::string& name) {
    if (name.find('/') != std::string::npos) return name;
    const std::string path = on_path(name, path_);
    found_.words.emplace_back(name, path);
    return path;
  }

  Result<void> ask_nvcc() {
    std::vector<std::string> argv{request_.program, "--dryrun", "-c", "-x", "cu", "/dev/null", "-o", "/dev/null"};
    if (!request_.host_compiler.empty()) argv.insert(argv.end(), {"-ccbin", request_.host_compiler});
    const auto said =
        run_program(request_.program, argv, {.environment = {"NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS"}, .folder = {}});
    if (!said) return tl::unexpected(said.error());
    std::string here, cicc, libdevice;
    each_part(said->err, '\n', [&](std::string_view line) {
      if (!line.starts_with("#$ ")) return;
      line.remove_prefix(3);
      const auto equals = line.find('=');
      const auto name = line.substr(0, equals);
      const auto value =
          equals == std::string_view::npos ? std::string() : trimmed(std::string(line.substr(equals + 1)));
      if (name == "_HERE_")
        here = value;
      else if (name == "CICC_PATH")
        cicc = value;
      else if (name == "NVVMIR_LIBRARY_DIR")
        libdevice = value;
      else if (name == "PATH")
        path_ = value;
      else if (name == "INCLUDES" || name == "SYSTEM_INCLUDES")
        add_include_flags(value);
      else if (host_.empty() && line.find(" -E ") != std::string_view::npos)
        if (const auto words = split_words(line); !words.empty()) host_ = words.front();
    });
    if (here.empty() || cicc.empty() || libdevice.empty() || host_.empty())
      return fail(ErrorKind::bad_input, "nvcc --dryrun does not name its tools", request_.program);
    for (const char* name : {"nvcc", "ptxas", "cudafe++", "fatbinary", "nvlink", "nvcc.profile"})
      add(name, here + "/" + name);
    add("cicc", cicc + "/cicc");
    std::vector<std::string> names;
    os().list(libdevice, names);
    for (const auto& name : names)
      if (name.ends_with(".bc")) add(name, libdevice + "/" + name);
    host_ = word(host_);
    return host_.empty() ? fail(ErrorKind::not_found, "the host compiler of nvcc is not on PATH", request_.program)
                         : Result<void>();
  }

  void add_include_flags(const std::string& flags) {
    bool next = false;
    for (const auto& flag : split_words(flags)) {
      if (next)
        add_search(flag);
      else if (flag.starts_with("-I") && flag.size() > 2)
        add_search(flag.substr(2));
      next = !next && (flag == "-isystem" || flag == "-I");
    }
  }

  Result<void> ask_host() {
    Remembered host;
    follow(host_, host);
    for (const auto& link : host.chain)
      if (real_path(link) == link) add(std::string(base_of(link)), link);
    CompilerKind kind = CompilerKind::gcc;
    compiler_named(host.chain.empty() ? host_ : host.chain.back(), kind);
    if (kind == CompilerKind::gcc)
      for (const std::string_view name : {"cc1plus", "cc1", "as", "collect2", "ld"}) {
        if (!request_.links && (name == "ld" || name == "collect2")) continue;
        const auto said = run_program(host_, {host_, "-print-prog-name=" + std::string(name)});
        if (!said) return tl::unexpected(said.error());
        const std::string path = word(trimmed(said->out));
        if (path.empty()) continue;  // a compiler of one language
        add(std::string(name), path);
        if (name == "cc1plus") add_libraries(path);
      }
    else if (!host.chain.empty())
      add_libraries(host.chain.back());  // clang is a small program over libclang-cpp and libLLVM
    return ask_search_path();
  }

  void add_libraries(const std::string& program) {
    const std::string ldd = on_path("ldd", path_);
    if (ldd.empty()) return;
    const auto said = run_program(ldd, {ldd, program});
    if (!said) return;
    each_part(said->out, '\n', [&](std::string_view line) {
      const auto begin = line.find('/');
      const auto end = line.rfind(" (");
      if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return;
      const std::string path = real_path(std::string(line.substr(begin, end - begin)));
      if (!path.empty()) add(std::string(base_of(path)), path);
    });
  }

  /// gcc and clang print it, with the folders that they pass over because they do not exist.
  Result<void> ask_search_path() {
    std::vector<std::string> argv{host_};
    argv.insert(argv.end(), request_.search_flags.begin(), request_.search_flags.end());
    argv.insert(argv.end(), {"-E", "-v", "-x", request_.c_language ? "c" : "c++", "/dev/null", "-o", "/dev/null"});
    const auto said = run_program(host_, argv, {.environment = {"LC_ALL=C"}, .folder = {}});
    if (!said) return tl::unexpected(said.error());
    bool within = false, any = false;
    each_part(said->err, '\n', [&](std::string_view line) {
      constexpr std::string_view ignoring = "ignoring nonexistent directory \"";
      if (line.starts_with("#include ") && line.ends_with("search starts here:"))
        within = any = true;
      else if (line.starts_with("End of search list"))
        within = false;
      else if (within && line.starts_with(" "))
        add_search(std::string(line.substr(1, line.find(" (framework") - 1)));
      else if (line.starts_with(ignoring))
        add_search(std::string(line.substr(ignoring.size(), line.size() - ignoring.size() - 1)));
    });
    return any ? Result<void>()
               : fail(ErrorKind::bad_input, "the compiler does not tell where it looks for headers", host_);
  }

  const ToolchainRequest& request_;
  const Remembered& before_;
  Remembered& found_;
  std::int64_t start_ = 0;
  std::string host_, path_, problem_;
};

std::string memory_name(const ToolchainRequest& request) {
  Sha256 hash;
  const auto add = [&](std::string_view text) { hash.update(std::to_string(text.size())).update(":").update(text); };
  add(std::to_string(static_cast<int>(request.kind)) + (request.c_language ? "c" : "+") + (request.links ? "l" : ""));
  add(request.program);
  add(request.host_compiler);
  for (const auto& flag : request.search_flags) add(flag);
  for (const char* name : {"PATH", "LD_LIBRARY_PATH", "LD_PRELOAD"})
    add(environment_variable(name));  // other tools, other libraries
  for (const auto& [name, value] : request.environment) {
    add(name);
    add(value);
  }
  return hash.finish().base32();
}

bool unchanged(const Remembered& memory, const Remembered& now) {
  if (memory.opaque || memory.chain != now.chain) return false;
  // A bare name is searched again: another may stand before it now. nvcc puts its own folders first, where these names
  // are not.
  const std::string path = environment_variable("PATH");
  for (const auto& [word, found] : memory.words)
    if (on_path(word, path) != found) return false;
  return std::all_of(memory.tools.begin(), memory.tools.end(),
                     [](const auto& t) { return t.first.exists() && stamp_of(t.second.path) == t.first; });
}

Toolchain given(const Remembered& r, bool from_memory) {
  Toolchain out;
  for (const auto& [stamp, tool] : r.tools) out.tools.push_back(tool);
  out.search = r.search;
  out.opaque = r.opaque;
  out.from_memory = from_memory;
  return out;
}

}  // namespace

std::string resolve_program(const std::string& word) {
  static const std::string self = real_path("/proc/self/exe");
  if (word.find('/') != std::string::npos && real_path(word) != self) return word;
  const std::string searched(base_of(word));
  std::string found;
  each_part(environment_variable("PATH"), ':', [&](std::string_view folder) {
    if (!found.empty()) return;
    const std::string candidate = joined(folder.empty() ? "." : folder, searched);
    if (!is_program(candidate)) return;
    const std::string real = real_path(candidate);
    const auto name = base_of(real);
    if (real != self && name != "ccache" && name != "sccache" && name != "keyhole") found = candidate;
  });
  return found;
}

Result<Toolchain> find_toolchain(const ToolchainRequest& request) {
  Remembered memory, now;
  follow(request.program, now);
  const std::string file = joined(request.memory, memory_name(request));
  if (read_memory(file, memory) && unchanged(memory, now)) return given(memory, true);
  if (auto found = Discovery(request, memory, now).run(); !found) return tl::unexpected(found.error());
  if (auto made = make_folders(request.memory); made) write_memory(file, now);
  return given(now, false);
}

}  // namespace keyhole
