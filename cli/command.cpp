// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <utility>

#include "environment.h"
#include "misspelt.h"

namespace keyhole::cli {
namespace {

struct Misuse {
  std::string what;
  std::string meant;  ///< empty: nothing is near
};

/// The first word that is neither an option nor its value: the name of a subcommand, or what was taken for one.
std::string first_word(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--store") {
      ++i;
    } else if (!words[i].empty() && words[i].front() != '-') {
      return words[i];
    }
  }
  return {};
}

/// What the parser found wrong, said in a sentence.
Misuse words_of(const CLI::ParseError& e, const CLI::App& command, const std::string& word) {
  std::string text = e.what();
  if (dynamic_cast<const CLI::RequiredError*>(&e) && !word.empty()) {
    std::vector<std::string> known;
    for (const CLI::App* c : command.get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(c->get_name());
    return {"there is no subcommand " + word, nearest(word, known)};
  }
  if (const std::size_t at = text.find(" required TEXT missing");
      dynamic_cast<const CLI::ArgumentMismatch*>(&e) && at != std::string::npos)
    return {text.substr(0, text.find(':')) + " needs a value", {}};
  if (dynamic_cast<const CLI::ExtrasError*>(&e)) {
    std::string extra = text.substr(std::min(text.rfind(": "), text.size() - 2) + 2);
    if (extra.empty() || extra.front() != '-') return {"too many arguments: " + extra, {}};
    std::vector<std::string> known;
    for (const CLI::Option* option : command.get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    return {"there is no option " + extra, nearest(extra, known)};
  }
  return {std::move(text), {}};
}

}  // namespace

void Command::text(const char* name, std::string& value, const char* help, bool required) {
  app_->add_option(name, value, help)->required(required);
}

void Command::texts(const char* name, std::vector<std::string>& values, const char* help, bool required) {
  app_->add_option(name, values, help)->required(required);
}

void Command::number(const char* name, std::size_t& value, const char* help) {
  app_->add_option(name, value, help)->check(CLI::PositiveNumber);
}

void Command::flag(const char* name, bool& value, const char* help) {
  app_->add_flag(name, value, help);
}

void Command::takes_program() {
  app_->prefix_command();
}

bool Command::given(const char* name) const {
  return app_->count(name) > 0;
}

Command Commands::add(const char* name, const char* description, const std::string& example, bool json_flag) {
  last_ = app_.add_subcommand(name, description);
  last_->set_help_flag("-h,--help", "Print this");
  last_->add_option("--store", globals_.store, "The store's folder");
  if (json_flag) last_->add_flag("--json", globals_.json, "Print JSON");
  last_->footer("Example:\n" + example);
  return Command(*last_);
}

void Commands::on(Action action) {
  last_->callback([this, command = last_, action = std::move(action)] {
    action_ = action;
    given_ = command;
  });
}

std::vector<std::string> Commands::program() const {
  std::vector<std::string> words = given_ ? given_->remaining() : std::vector<std::string>();
  words.insert(words.end(), behind_dashes_.begin(), behind_dashes_.end());
  return words;
}

int Commands::run(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    (void)print(app_.help());
    return kUsage;
  }
  // Behind "--" everything is the program's, also what looks like an option of ours.
  if (const auto dashes = std::find(words.begin(), words.end(), "--"); dashes != words.end()) {
    const bool takes_program = std::any_of(words.begin(), dashes, [&](const std::string& word) {
      return !app_.get_subcommands([&](const CLI::App* c) { return c->get_name() == word && c->get_prefix_command(); })
                  .empty();
    });
    if (takes_program) {
      behind_dashes_.assign(dashes + 1, words.end());
      words.erase(dashes, words.end());
    }
  }
  const std::vector<std::string> typed = words;
  std::reverse(words.begin(), words.end());  // as the parser wants them
  try {
    app_.parse(std::move(words));
  } catch (const CLI::Success& e) {  // --help, --version
    return app_.exit(e) == 0 ? kDone : kFailed;
  } catch (const CLI::ParseError& e) {
    const auto given = app_.get_subcommands();
    const CLI::App& command = given.empty() ? app_ : *given.back();
    const Misuse misuse = words_of(e, command, given.empty() ? first_word(typed) : std::string());
    const std::string name = given.empty() ? "keyhole" : "keyhole " + command.get_name();
    return report({ErrorKind::usage,
                   misuse.what,
                   {},
                   (misuse.meant.empty() ? "" : "did you mean " + misuse.meant + "? ") + "see " + name + " --help"});
  }
  if (globals_.store.empty()) globals_.store = default_store();
  return action_ ? action_(globals_) : kUsage;
}

}  // namespace keyhole::cli
