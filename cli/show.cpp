// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "environment.h"
#include "format.h"
#include "json_output.h"
#include "store_access.h"
#include "terminal.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct ShowOptions {
  std::string target = "last", run, text;
  bool verbose = false;
};

constexpr TextKind kTextKinds[] = {
    TextKind::dynamo_graph,       TextKind::aot_joint_graph,     TextKind::aot_forward_graph,
    TextKind::aot_backward_graph, TextKind::aot_inference_graph, TextKind::pre_grad_graph,
    TextKind::post_grad_graph,    TextKind::output_code,         TextKind::dynamo_guards,
    TextKind::functorch_config,   TextKind::recompile_reasons,   TextKind::traceback,
    TextKind::inductor_config,    TextKind::dynamo_config};

/// "name        value" lines; without a value: no line.
class Lines {
 public:
  void add(std::string_view name, const std::string& value) {
    if (!value.empty()) text_ += fmt::format("  {:<12} {}\n", name, printable(value));
  }
  void raw(const std::string& text) { text_ += text; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

int show_run(const Globals& globals, Reader& reader, const RunRow& run) {
  const auto processes = reader.processes(run.id);
  if (!processes) return report(processes.error());
  const auto problems = reader.problems(run.id);
  if (!problems) return report(problems.error());
  if (globals.json) {
    json document = to_json(run);
    document["process_list"] = json::array();
    for (const ProcessRow& p : *processes) document["process_list"].push_back(to_json(p));
    document["problems"] = json::array();
    for (const Problem& p : *problems) document["problems"].push_back(to_json(p));
    return print(dump(document));
  }
  const RunRecord& r = run.record;
  const Nanoseconds today = now();
  Lines out;
  out.raw(fmt::format("run {}\n", printable(r.name)));
  out.add("program", shell_line(r.argv));
  out.add("in", r.cwd);
  out.add("start", r.start == kUnknownTime ? "" : time_text(r.start, today));
  if (r.start != kUnknownTime && r.end != kUnknownTime)
    out.add("took", seconds_text(static_cast<double>(r.end - r.start) / 1e9));
  if (r.exit_status) out.add("exit status", std::to_string(*r.exit_status));
  if (!r.git_commit.empty()) out.add("git", r.git_commit + (r.git_dirty ? ", with changes" : ""));
  out.add("lookups",
          fmt::format("{}: {}, {}, {}", run.lookups, count_text(run.hits, "hit"),
                      count_text(run.misses, "miss", "misses"), count_text(run.bypasses, "bypass", "bypasses")));
  for (const ProcessRow& p : *processes) {
    std::string line = p.record.pid >= 0 ? std::to_string(p.record.pid) : "?";
    if (!p.record.host.empty()) line += " on " + p.record.host;
    if (p.record.rank) line += fmt::format(", rank {}", *p.record.rank);
    if (!p.record.cache_dir.empty()) line += ", cache folder " + p.record.cache_dir;
    out.add("process", line);
  }
  for (const std::string* text : {&r.env_json, &r.versions_json}) {
    const json variables = json::parse(*text, nullptr, false);
    if (!variables.is_object()) continue;
    for (const auto& [name, value] : variables.items())
      out.raw(fmt::format("    {}={}\n", printable(name),
                          printable(value.is_string() ? value.get<std::string>() : value.dump())));
  }
  for (const Problem& p : *problems)
    out.add("problem",
            fmt::format("{}{}: {}", p.source, p.offset >= 0 ? fmt::format(", byte {}", p.offset) : "", p.what));
  return print(out.text());
}

/// The lookup's texts of one kind, as they are.
int show_text(Reader& reader, const LookupRow& lookup, const std::string& kind_name) {
  std::string known;
  for (const TextKind kind : kTextKinds) {
    known += (known.empty() ? "" : ", ") + std::string(name_of(kind));
    if (kind_name != name_of(kind)) continue;
    const auto texts = reader.texts(lookup.process, lookup.record.compile, kind);
    if (!texts) return report(texts.error());
    if (texts->empty())
      return report({ErrorKind::not_found, "the recording holds no " + kind_name + " of this lookup", {}, {}});
    std::string out;
    for (const TextRecord& t : *texts) out += t.text + (t.text.ends_with('\n') ? "" : "\n");
    return print(out);
  }
  return report({ErrorKind::usage, "there is no text called " + kind_name, {}, "one of " + known});
}

void add_components(Lines& out, const std::vector<ComponentPtr>& components, bool verbose, std::size_t width) {
  std::map<std::string, std::size_t> folded;
  for (const ComponentPtr c : components) {
    const std::string group = c->name.substr(0, c->name.find('['));
    const bool config = group.find("config") != std::string::npos && group.size() < c->name.size();
    if (config && !verbose) {
      ++folded[group];
      continue;
    }
    if (verbose)
      out.raw(fmt::format("    {} {} = {}\n", c->digest.base32().substr(0, 8), printable(c->name), printable(c->text)));
    else
      out.raw(fmt::format("    {} = {}\n", printable(c->name), shorten(c->text, width > 60 ? width - 40 : 80)));
  }
  for (const auto& [group, n] : folded) out.raw(fmt::format("    {}: {} values (-v lists them)\n", group, n));
}

int show_lookup(const Globals& globals, Reader& reader, const LookupRow& lookup, const ShowOptions& options) {
  ComponentPool pool;
  auto components = reader.components(lookup.component_set, pool);
  if (!components) return report(components.error());
  const auto entries = reader.entries_with_key(lookup.record.layer, lookup.record.key);
  if (!entries) return report(entries.error());
  const auto symbols = reader.symbols(lookup.process, lookup.record.compile);
  if (!symbols) return report(symbols.error());
  if (globals.json) {
    json document = to_json(lookup);
    document["components"] = json::array();
    for (const ComponentPtr c : *components)
      document["components"].push_back({{"component", c->name}, {"digest", c->digest.base32()}, {"text", c->text}});
    document["entries"] = json::array();
    for (const EntryRow& e : *entries) document["entries"].push_back(to_json(e));
    document["symbols"] = json::array();
    for (const SymbolRecord& s : *symbols)
      document["symbols"].push_back({{"symbol", s.symbol}, {"value", s.value}, {"source", s.source}});
    return print(dump(document));
  }
  const LookupRecord& r = lookup.record;
  const Terminal terminal = Terminal::of(stdout);
  Lines out;
  out.raw(fmt::format("lookup {}  {} {}  {}\n", lookup.id, name_of(r.layer), r.compile.text(),
                      terminal.paint(name_of(r.outcome), r.outcome == Outcome::hit ? Style::good : Style::bad)));
  out.add("run", lookup.run_name + (lookup.rank ? fmt::format(", rank {}", *lookup.rank) : ""));
  out.add("time", r.time == kUnknownTime ? "" : time_text(r.time, now()));
  out.add("key", r.key);
  out.add("status", r.status);
  out.add("function",
          lookup.function.empty() ? "" : fmt::format("{}, {}:{}", lookup.function, lookup.filename, lookup.line));
  if (r.direction != Direction::unknown) out.add("graph", name_of(r.direction));
  if (r.cost >= 0) out.add("lost", seconds_text(static_cast<double>(r.cost) / 1e9));
  if (r.saved >= 0) out.add("saved", seconds_text(static_cast<double>(r.saved) / 1e9));
  out.add("guard", r.guard);
  out.add("reason", r.reason);
  out.add("load error", r.load_error);
  out.add("save error", r.save_error);
  for (const SymbolRecord& s : *symbols) out.add("symbol", fmt::format("{} = {}  {}", s.symbol, s.value, s.source));
  for (const EntryRow& e : *entries)
    out.add("entry", fmt::format("{}  {}, {}{}", e.record.path, size_text(e.record.size), name_of(e.record.state),
                                 e.record.guard.empty() ? "" : ", guard " + shorten(e.record.guard, 200)));
  out.add("components", components->empty() ? "not recorded" : std::to_string(components->size()));
  add_components(out, *components, options.verbose, terminal.width);
  return print(out.text());
}

int show(const Globals& globals, const ShowOptions& options) {
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  if (options.text.empty()) {
    const auto run = reader->run_named(options.target);
    if (!run) return report(run.error());
    if (*run) return show_run(globals, *reader, **run);
  }
  const auto lookup = find_lookup(*reader, options.target, options.run);
  if (!lookup) return report(lookup.error());
  return options.text.empty() ? show_lookup(globals, *reader, *lookup, options)
                              : show_text(*reader, *lookup, options.text);
}

}  // namespace

void add_show(Commands& commands) {
  Command command = commands.add("show", "Everything that is known of a run or of a lookup",
                                 "  keyhole show warm-up                     # a run\n"
                                 "  keyhole show 0/0                         # a lookup of the last run\n"
                                 "  keyhole show last --text output_code     # the code that was compiled");
  auto options = std::make_shared<ShowOptions>();
  command.text("TARGET", options->target, "A run, or a lookup: last, its number, a compile id, a key or its beginning");
  command.text("--run", options->run, "Where to look for a compile id; else in the last run");
  command.text("--text", options->text,
               "Print this text of the lookup's compile, whole: output_code, dynamo_graph, ...");
  command.flag("-v,--verbose", options->verbose, "Every component with its digest and text");
  commands.on([options](const Globals& globals) { return show(globals, *options); });
}

}  // namespace keyhole::cli
