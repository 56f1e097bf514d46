// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pickle_data.h"

namespace keyhole::pickle {

Document::Document(std::unique_ptr<Data> data) : data_(std::move(data)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Value Document::root() const {
  return {this, data_->root};
}
const std::optional<Problem>& Document::problem() const {
  return data_->problem;
}
std::size_t Document::consumed() const {
  return data_->consumed;
}
int Document::protocol() const {
  return data_->protocol;
}
const std::vector<Callable>& Document::callables() const {
  return data_->callables;
}

namespace {

bool is_chain(Kind k) {
  return k == Kind::tuple || k == Kind::list || k == Kind::dict || k == Kind::set || k == Kind::frozenset;
}

constexpr int kDisplayDepth = 16;

void show_bytes(std::string& out, std::string_view bytes, char quote, bool text) {
  out += quote;
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || c == quote) {
      out += '\\';
      out += c;
    } else if (u < 0x20 || u == 0x7f || (u >= 0x80 && !text)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", u);
    } else {
      out += c;
    }
  }
  out += quote;
}

void show(std::string& out, Value v, std::size_t max_chars, int depth);

void show_items(std::string& out, Value v, const char* open, const char* close, std::size_t max_chars, int depth) {
  out += open;
  std::size_t n = 0;
  for (const Value item : v.items()) {
    if (out.size() > max_chars) return;
    if (n != 0) out += v.kind() == Kind::dict && n % 2 == 1 ? ": " : ", ";
    show(out, item, max_chars, depth + 1);
    ++n;
  }
  if (v.kind() == Kind::tuple && n == 1) out += ',';
  out += close;
}

void show(std::string& out, Value v, std::size_t max_chars, int depth) {
  if (out.size() > max_chars) return;
  if (depth > kDisplayDepth) {
    out += "...";
    return;
  }
  const auto cut = [&](std::string_view text) {
    return text.substr(0, max_chars - std::min(out.size(), max_chars) + 1);
  };
  switch (v.kind()) {
    case Kind::absent:
      break;
    case Kind::none:
      out += "None";
      break;
    case Kind::boolean:
      out += *v.boolean() ? "True" : "False";
      break;
    case Kind::integer:
      out += std::to_string(*v.integer());
      break;
    case Kind::big_integer:
      fmt::format_to(std::back_inserter(out), "<integer of {} bytes>", v.size());
      break;
    case Kind::real:
      out += fmt::format("{}", *v.real());
      break;
    case Kind::text:
      show_bytes(out, cut(v.text()), '\'', true);
      break;
    case Kind::bytes:
      out += 'b';
      show_bytes(out, cut(v.bytes()), '\'', false);
      break;
    case Kind::tuple:
      show_items(out, v, "(", ")", max_chars, depth);
      break;
    case Kind::list:
      show_items(out, v, "[", "]", max_chars, depth);
      break;
    case Kind::dict:
      show_items(out, v, "{", "}", max_chars, depth);
      break;
    case Kind::set:
      v.size() == 0 ? void(out += "set()") : show_items(out, v, "{", "}", max_chars, depth);
      break;
    case Kind::frozenset:
      show_items(out, v, "frozenset({", "})", max_chars, depth);
      break;
    case Kind::global:
      fmt::format_to(std::back_inserter(out), "{}.{}", cut(v.module()), cut(v.name()));
      break;
    case Kind::call:
      show(out, v.callable(), max_chars, depth + 1);
      if (v.args().kind() == Kind::tuple) {
        show_items(out, v.args(), "(", ")", max_chars, depth);
      } else {
        out += "(...)";
      }
      if (v.state()) {
        out += " with ";
        show(out, v.state(), max_chars, depth + 1);
      }
      break;
    case Kind::persistent:
      out += "<persistent ";
      show(out, v.args(), max_chars, depth + 1);
      out += '>';
      break;
    case Kind::extension:
      fmt::format_to(std::back_inserter(out), "<extension {}>", *v.integer());
      break;
    case Kind::buffer:
      out += "<buffer>";
      break;
  }
}

}  // namespace

Kind Value::kind() const {
  return document_ == nullptr ? Kind::absent : document_->data_->nodes[ref_].kind;
}

std::optional<bool> Value::boolean() const {
  if (kind() != Kind::boolean) return std::nullopt;
  return document_->data_->nodes[ref_].integer != 0;
}

std::optional<std::int64_t> Value::integer() const {
  if (kind() != Kind::integer && kind() != Kind::extension) return std::nullopt;
  return document_->data_->nodes[ref_].integer;
}

std::optional<double> Value::real() const {
  if (kind() == Kind::integer) return static_cast<double>(document_->data_->nodes[ref_].integer);
  if (kind() != Kind::real) return std::nullopt;
  return document_->data_->nodes[ref_].real;
}

std::string_view Value::text() const {
  if (kind() != Kind::text) return {};
  const auto& view = document_->data_->nodes[ref_].view;
  return {view.data, view.size};
}

std::string_view Value::bytes() const {
  if (kind() != Kind::bytes && kind() != Kind::big_integer) return {};
  const auto& view = document_->data_->nodes[ref_].view;
  return {view.data, view.size};
}

std::size_t Value::size() const {
  const Kind k = kind();
  if (k == Kind::text || k == Kind::bytes || k == Kind::big_integer) return document_->data_->nodes[ref_].view.size;
  if (!is_chain(k)) return 0;
  const auto count = document_->data_->nodes[ref_].chain.count;
  return k == Kind::dict ? count / 2 : count;
}

Range Value::items() const {
  const Kind k = kind();
  if (is_chain(k)) return {document_, document_->data_->nodes[ref_].chain.first};
  if (k == Kind::call) return {document_, document_->data_->extras[document_->data_->nodes[ref_].call.extra].first};
  return {document_, 0};
}

Value Value::at(std::size_t index) const {
  for (const Value v : items()) {
    if (index-- == 0) return v;
  }
  return {};
}

Value Value::get(std::string_view key) const {
  if (kind() != Kind::dict) return {};
  Value found;
  const Range pairs = items();
  for (auto i = pairs.begin(); i != pairs.end(); ++i) {
    const Value k = *i;
    if (++i == pairs.end()) break;
    if (k.kind() == Kind::text && k.text() == key) found = *i;
  }
  return found;
}

std::string_view Value::module() const {
  if (kind() == Kind::call) return callable().kind() == Kind::global ? callable().module() : std::string_view{};
  if (kind() != Kind::global) return {};
  return Value(document_, document_->data_->nodes[ref_].global.module).text();
}

std::string_view Value::name() const {
  if (kind() == Kind::call) return callable().kind() == Kind::global ? callable().name() : std::string_view{};
  if (kind() != Kind::global) return {};
  return Value(document_, document_->data_->nodes[ref_].global.name).text();
}

Value Value::callable() const {
  return kind() == Kind::call ? Value(document_, document_->data_->nodes[ref_].call.callable) : Value();
}

Value Value::args() const {
  if (kind() != Kind::call && kind() != Kind::persistent) return {};
  return {document_, document_->data_->nodes[ref_].call.args};
}

Value Value::state() const {
  if (kind() != Kind::call) return {};
  return {document_, document_->data_->extras[document_->data_->nodes[ref_].call.extra].state};
}

Value Value::attribute(std::string_view attribute_name) const {
  const Value s = state();
  if (s.kind() != Kind::tuple) return s.get(attribute_name);
  const Value from_slots = s.at(1).get(attribute_name);  // (dict or None, slots)
  return from_slots ? from_slots : s.at(0).get(attribute_name);
}

std::string Value::display(std::size_t max_chars) const {
  std::string out;
  show(out, *this, max_chars, 0);
  if (out.size() > max_chars) {
    out.resize(max_chars);
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0) out.pop_back();
    out += "...";
  }
  return out;
}

Value Range::Iterator::operator*() const {
  return {document_, document_->data_->cells[cell_].value};
}

Range::Iterator& Range::Iterator::operator++() {
  cell_ = document_->data_->cells[cell_].next;
  return *this;
}

bool is_suspicious(std::string_view module, std::string_view name) {
  if (module.empty() || name.empty()) return true;  // computed by another call: what it is cannot be told
  // Whole modules that run commands or code, or reach files and the network; a cache entry has no use for any of them.
  static constexpr std::array<std::string_view, 32> kModules = {
      "os",      "posix",           "nt",         "subprocess", "shutil",    "socket", "sys",
      "pty",     "commands",        "popen2",     "runpy",      "importlib", "imp",    "pip",
      "code",    "codeop",          "timeit",     "cProfile",   "profile",   "pdb",    "bdb",
      "trace",   "ctypes",          "webbrowser", "urllib",     "http",      "ftplib", "smtplib",
      "asyncio", "multiprocessing", "marshal",    "pickle"};
  static constexpr std::array<std::string_view, 16> kBuiltins = {
      "eval",    "exec",   "compile", "open",       "__import__", "getattr",  "setattr", "delattr",
      "globals", "locals", "vars",    "breakpoint", "input",      "execfile", "file",    "apply"};
  static constexpr std::array<std::string_view, 12> kOther = {
      "torch.load",          "torch.serialization.load", "torch.hub.load",   "torch.package.PackageImporter",
      "operator.attrgetter", "operator.methodcaller",    "functools.reduce", "types.FunctionType",
      "types.CodeType",      "types.LambdaType",         "numpy.load",       "tempfile.mktemp"};
  const auto top = module.substr(0, module.find('.'));
  if (std::find(kModules.begin(), kModules.end(), top) != kModules.end()) return true;
  if (module == "builtins" || module == "__builtin__") {
    return std::find(kBuiltins.begin(), kBuiltins.end(), name) != kBuiltins.end();
  }
  const std::string whole = fmt::format("{}.{}", module, name);
  if (std::find(kOther.begin(), kOther.end(), whole) != kOther.end()) return true;
  // "torch.os.system": a module reached through another one.
  return name.find("system") != std::string_view::npos || name.find("popen") != std::string_view::npos ||
         module.find(".os") != std::string_view::npos || module.find("subprocess") != std::string_view::npos;
}

}  // namespace keyhole::pickle
