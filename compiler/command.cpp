// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/command.h"

#include <algorithm>
#include <array>

#include "keyhole/base/os.h"
#include "options.h"
#include "stamp.h"

namespace keyhole {
namespace {

constexpr std::size_t kOptionFileLimit = std::size_t{16} << 20;
constexpr int kOptionFileDepth = 8;

struct Word {
  std::string text, origin;
};

/// Variables that change what a compiler makes or says and are no options themselves. Sources: gcc(1) ENVIRONMENT,
/// `nvcc
/// --dryrun` (what nvcc.profile composes), reproducible-builds.org for SOURCE_DATE_EPOCH.
constexpr std::array kHostVariables = {"CCC_OVERRIDE_OPTIONS",
                                       "COMPILER_PATH",
                                       "CPATH",
                                       "CPLUS_INCLUDE_PATH",
                                       "C_INCLUDE_PATH",
                                       "GCC_COLORS",
                                       "GCC_EXEC_PREFIX",
                                       "GCC_EXTRA_DIAGNOSTIC_OUTPUT",
                                       "GCC_URLS",
                                       "LANG",
                                       "LANGUAGE",
                                       "LC_ALL",
                                       "LC_CTYPE",
                                       "LC_MESSAGES",
                                       "SOURCE_DATE_EPOCH",
                                       "TERM_URLS"};
constexpr std::array kNvccVariables = {"CICC_PATH",    "CUDAFE_FLAGS",       "INCLUDES",   "LIBDEVICE_FLAGS",
                                       "NVCC_CCBIN",   "NVVMIR_LIBRARY_DIR", "NVVM_FLAGS", "OPENCC_FLAGS",
                                       "PTXAS_FLAGS",  "SYSTEM_INCLUDES",    "TOP",        "_NVVM_BRANCH_",
                                       "_TARGET_DIR_", "_TARGET_SIZE_"};
/// Variables that make a compiler write a file which the command line does not name.
constexpr std::array kRefusedVariables = {"DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", "CC_PRINT_HEADERS",
                                          "CC_PRINT_OPTIONS", "NVCC_VERBOSE"};

constexpr std::array<std::string_view, 9> kSourceSuffixes = {".cu",  ".c", ".cc", ".cpp", ".cxx",
                                                             ".c++", ".C", ".cp", ".CPP"};

bool is_source(std::string_view word) {
  return std::any_of(kSourceSuffixes.begin(), kSourceSuffixes.end(),
                     [&](std::string_view suffix) { return word.ends_with(suffix); });
}

void split_commas(const std::string& text, std::vector<std::string>& out) {
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
}

class Reading {
 public:
  Reading(CompileCommand& command, const Variable& variable, const CommandRules& rules)
      : command_(command), variable_(variable), rules_(rules) {}

  void run(const std::vector<std::string>& arguments) {
    std::vector<Word> words;
    const bool nvcc = command_.kind == CompilerKind::nvcc;
    if (nvcc) add_variable("NVCC_PREPEND_FLAGS", words);
    for (const auto& argument : arguments) add(words, {argument, {}}, 0);
    if (nvcc) add_variable("NVCC_APPEND_FLAGS", words);
    for (const char* name : kRefusedVariables)
      if (variable_(name) != nullptr) refuse(std::string(name) + " is set: the compiler writes a further file");
    if (nvcc) {
      for (const auto& word : words) forwards_ = forwards_ || word.text.find("forward-unknown-") != std::string::npos;
      take(words, false);
      take(std::exchange(host_, {}), true);
    } else {
      take(words, false);
    }
    finish();
  }

 private:
  void refuse(std::string why) {
    if (command_.refusal.empty()) command_.refusal = std::move(why);
  }

  void add_variable(const char* name, std::vector<Word>& words) {
    const char* value = variable_(name);
    if (value == nullptr) return;
    for (auto& text : split_words(value)) add(words, {std::move(text), name}, 0);
  }

  /// Options files are taken in where they stand.
  void add(std::vector<Word>& words, Word word, int depth) {
    if (word.text.size() < 2 || word.text.front() != '@') {
      words.push_back(std::move(word));
      return;
    }
    add_file(words, word.text.substr(1), depth);
  }

  void add_file(std::vector<Word>& words, const std::string& path, int depth) {
    const auto content = read_file(path, kOptionFileLimit);
    if (!content || depth > kOptionFileDepth) return refuse("the options file " + path + " cannot be read");
    command_.option_files.push_back(path);
    for (auto& text : split_words(*content)) add(words, {std::move(text), path}, depth + 1);
  }

  /// Reads options; `host`: they are those of nvcc's host compiler.
  void take(std::vector<Word> words, bool host) {
    const bool nvcc = command_.kind == CompilerKind::nvcc && !host;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const Word word = words[i];
      if (word.text.empty() || word.text.front() != '-') {
        if (host) return refuse("an argument for the host compiler that is no option: " + word.text);
        take_source(word.text);
        continue;
      }
      if (word.text == "-") return refuse("the source is standard input");
      std::string_view attached;
      bool has_attached = false;
      const OptionRule* rule =
          nvcc ? nvcc_rule(word.text, attached, has_attached) : gcc_rule(word.text, attached, has_attached);
      if (rule == nullptr && nvcc && forwards_) {
        host_.push_back(word);
        continue;
      }
      if (rule == nullptr) return refuse("unknown option " + word.text);
      std::string value(attached);
      if (!has_attached && rule->argument != OptionArgument::none && rule->argument != OptionArgument::attached) {
        if (i + 1 == words.size()) return refuse("no argument behind " + word.text);
        value = words[++i].text;
      }
      if (nvcc && rule->use == OptionUse::option_file) {
        // Read where it stands: its words are options like the others.
        std::vector<std::string> files;
        split_commas(value, files);
        std::vector<Word> inner;
        for (const auto& file : files) add_file(inner, file, 0);
        words.insert(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, inner.begin(), inner.end());
        if (words.size() > 100'000) return refuse("the options files name each other");
        continue;
      }
      use(*rule, value, word, host);
    }
  }

  void take_source(const std::string& word) {
    if (rules_.shared_libraries && word.ends_with(".o")) {
      command_.objects.push_back(word);
      return;
    }
    if (!is_source(word)) return refuse("not a source that is known: " + word);
    if (!command_.source.empty()) return refuse("several sources in one command");
    command_.source = word;
  }

  void keep(const OptionRule& rule, const std::string& value, const Word& word, bool host) {
    command_.options.push_back({(host ? "-Xcompiler " : "") + std::string(rule.name), value, word.origin});
  }

  void use(const OptionRule& rule, const std::string& value, const Word& word, bool host) {
    switch (rule.use) {
      case OptionUse::keep:
        break;
      case OptionUse::refuse:
        if (rules_.shared_libraries && rule.name == "-shared" && !host) {
          command_.links = true;
          break;
        }
        if (rules_.native && rule.name.ends_with("=native")) {
          command_.native = true;
          break;
        }
        return refuse(word.text + " " + std::string(rule.why));
      case OptionUse::include_dir:
        if (command_.kind == CompilerKind::nvcc && !host)
          split_commas(value, command_.include_dirs);
        else
          command_.include_dirs.push_back(value);
        break;
      case OptionUse::library:
        command_.libraries.push_back(value);
        break;
      case OptionUse::library_dir:
        command_.library_dirs.push_back(value);
        break;
      case OptionUse::output:
        if (host || !command_.output.empty()) return refuse("several outputs in one command");
        command_.output = value;
        return;
      case OptionUse::output_dir:
        output_dir_ = value;
        return;
      case OptionUse::dep_write:
        if (host) return refuse("the host compiler writes a further file");
        writes_dependencies_ = true;
        break;
      case OptionUse::dep_file:
        if (host) return refuse("the host compiler writes a further file");
        command_.dependencies = value;
        return;
      case OptionUse::dep_shape:
        names_target_ = names_target_ || rule.name != "-MP";
        break;
      case OptionUse::shared:
        gcc_shared_ = gcc_shared_ || !host;
        break;
      case OptionUse::form:
        if (host) return refuse("the host compiler is told what to make");
        form_ = word.text.substr(word.text.find_first_not_of('-'));
        form_ = std::string(rule.name).substr(1);
        ++forms_;
        break;
      case OptionUse::debug:
        command_.folder_matters = true;
        break;
      case OptionUse::search: {
        const bool apart = rule.argument == OptionArgument::separate;
        command_.search_flags.push_back(apart ? std::string(rule.name) : word.text);
        if (apart) command_.search_flags.push_back(value);
        break;
      }
      case OptionUse::host_flags: {
        std::vector<std::string> flags;
        split_commas(value, flags);
        for (const auto& flag : flags)
          for (auto& text : split_words(flag)) host_.push_back({text, word.origin});
        return;
      }
      case OptionUse::host:
        command_.host_compiler = value;
        break;
      case OptionUse::architecture:
        if (value.find("native") != std::string::npos)
          return refuse(word.text + "=" + value + " asks for the GPU of this machine");
        break;
      case OptionUse::forward:
      case OptionUse::option_file:
        break;
      case OptionUse::language:
        if (value != "cu" && value != "c++" && value != "c") return refuse("a language that is not cached: " + value);
        break;
    }
    for (const std::string_view time : {"__TIME__", "__DATE__", "__TIMESTAMP__"})
      if (value.find(time) != std::string::npos) return refuse("a macro for the time of the compile: " + word.text);
    if (value.find("__has_include") != std::string::npos) return refuse("asks for a file: " + word.text);
    keep(rule, value, word, host);
  }

  void finish() {
    // It enters the names of symbols, but for sources that are named from the root.
    if (command_.kind == CompilerKind::nvcc && !is_placed()) command_.folder_matters = true;
    if (rules_.shared_libraries && forms_ == 0 && gcc_shared_) command_.links = true;
    if (command_.links && forms_ == 0) return finish_link();
    command_.links = false;
    if (forms_ == 0) return refuse("links, or asks the compiler something");
    if (forms_ > 1) return refuse("several forms of output in one command");
    if (command_.source.empty() || !command_.objects.empty()) return refuse("no source in the command");
    std::string stem(base_of(command_.source));
    stem.resize(stem.rfind('.'));
    if (command_.output.empty()) {
      const std::string suffix = form_ == "S"                                              ? ".s"
                                 : form_ == "ptx" || form_ == "cubin" || form_ == "fatbin" ? "." + form_
                                                                                           : ".o";
      command_.output = joined(output_dir_, stem + suffix);
    }
    if (command_.output == "-" || command_.output == "/dev/stdout") return refuse("the output is standard output");
    if (!writes_dependencies_) {
      if (!command_.dependencies.empty()) refuse("-MF without -MD");
    } else if (command_.dependencies.empty()) {
      if (command_.kind == CompilerKind::nvcc) return refuse("-MD without -MF");
      command_.dependencies =
          command_.output.substr(
              0, command_.output.size() -
                     (command_.output.size() - std::min(command_.output.rfind('.'), command_.output.size()))) +
          ".d";
    }
    if (!command_.dependencies.empty() && !names_target_)
      command_.options.push_back({"-o", command_.output, {}});  // it is the target
  }

  void finish_link() {
    if (command_.source.empty() == command_.objects.empty()) return refuse("links, but not one source or some objects");
    if (command_.output.empty()) return refuse("links into a file that is not named");
    if (writes_dependencies_ || !command_.dependencies.empty()) return refuse("links and writes dependencies");
  }

  /// Source and folders are named from the root, and nothing else asks for the working folder.
  [[nodiscard]] bool is_placed() const {
    const auto from_root = [](const std::string& path) { return path.starts_with('/'); };
    return from_root(command_.source) &&
           std::all_of(command_.include_dirs.begin(), command_.include_dirs.end(), from_root);
  }

  CompileCommand& command_;
  const Variable& variable_;
  const CommandRules& rules_;
  std::vector<Word> host_;
  std::string output_dir_, form_;
  int forms_ = 0;
  bool writes_dependencies_ = false, forwards_ = false, gcc_shared_ = false, names_target_ = false;
};

}  // namespace

bool compiler_named(std::string_view program, CompilerKind& kind) {
  std::string_view name = base_of(program);
  if (name == "nvcc") return kind = CompilerKind::nvcc, true;
  // "x86_64-linux-gnu-g++-12": a target before the name, a version behind it.
  if (const auto dash = name.rfind('-'); dash != std::string_view::npos && dash + 1 < name.size() &&
                                         name.find_first_not_of("0123456789.", dash + 1) == std::string_view::npos)
    name = name.substr(0, dash);
  for (const std::string_view clang : {"clang++", "clang"})
    if (name == clang || name.ends_with("-" + std::string(clang))) return kind = CompilerKind::clang, true;
  for (const std::string_view gcc : {"g++", "gcc", "c++", "cc"})
    if (name == gcc || name.ends_with("-" + std::string(gcc))) return kind = CompilerKind::gcc, true;
  return false;
}

CompileCommand read_command(CompilerKind kind, const std::vector<std::string>& arguments, const Variable& variable,
                            const CommandRules& rules) {
  CompileCommand command;
  command.kind = kind;
  Reading(command, variable, rules).run(arguments);
  return command;
}

std::vector<std::pair<std::string, std::string>> key_environment(CompilerKind kind, const Variable& variable) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&](const char* name) {
    if (const char* value = variable(name)) out.emplace_back(name, value);
  };
  for (const char* name : kHostVariables) add(name);
  if (kind == CompilerKind::nvcc)
    for (const char* name : kNvccVariables) add(name);
  std::sort(out.begin(), out.end());
  return out;
}

std::string joined_words(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool within = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else if (c == '\\' && quote == '"' && i + 1 < text.size())
        word += text[++i];
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      within = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      within = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
      if (within) words.push_back(std::exchange(word, {}));
      within = false;
    } else {
      word += c;
      within = true;
    }
  }
  if (within) words.push_back(word);
  return words;
}

}  // namespace keyhole
