// SPDX-License-Identifier: Apache-2.0
// The stack machine of pickle without its calls; longer than other files because the table of opcodes and the machine
// that it drives belong together. Every opcode consumes at least one byte and makes at most one node, so
// memory is bounded by the input; a declared length is compared with what is left before anything is done with it.
#include <algorithm>
#include <bit>
#include <charconv>
#include <map>

#include "pickle_data.h"
#include "utf8.h"

namespace keyhole::pickle {
namespace {

/// What a MARK separates: everything from `base` on. `fills`: the container right below is what the items go into, as
/// far as the pickle's order of opcodes tells; used only to put a broken pickle together.
struct Mark {
  std::size_t base = 0;
  bool fills = false;
};

constexpr std::size_t kBatch = 1000;  // CPython writes elements of containers in batches of this size

/// Protocol 0 texts: `raw` knows only \uXXXX and \UXXXXXXXX, the other form is what Python's repr writes.
std::string unescape(std::string_view in, bool raw) {
  std::string out;
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '\\' || i + 1 == in.size()) {
      if (raw) {
        append_utf8(static_cast<unsigned char>(in[i]), out);  // Latin-1
      } else {
        out += in[i];
      }
      continue;
    }
    const char c = in[++i];
    const std::size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : (c == 'x' && !raw) ? 2 : 0;
    std::uint32_t code = 0;
    const char* const first = in.data() + i + 1;
    if (digits != 0 && i + digits < in.size() &&
        std::from_chars(first, first + digits, code, 16).ptr == first + digits) {
      if (digits == 2) {
        out += static_cast<char>(code);
      } else {
        append_utf8(code, out);
      }
      i += digits;
      continue;
    }
    if (raw) {
      out += '\\';
      out += c;
      continue;
    }
    switch (c) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case 'r':
        out += '\r';
        break;
      case '\\':
      case '\'':
      case '"':
        out += c;
        break;
      default:
        out += '\\';
        out += c;
    }
  }
  return out;
}

}  // namespace

class Parser {
 public:
  Parser(std::string_view input, const Limits& limits, Document::Data& d) : in_(input), limits_(limits), d_(d) {}

  void run() {
    while (!stopped_ && !d_.problem) {
      at_ = pos_;
      if (pos_ == in_.size()) {
        problem("the pickle ends before its end mark");
        break;
      }
      const auto op = static_cast<unsigned char>(in_[pos_++]);
      step(op);
      if (op != 0x94 && op != 'q' && op != 'r' && op != 'p') previous_ = op;
    }
    if (d_.problem) {
      d_.consumed = at_;
      put_together();
    } else {
      d_.consumed = pos_;
    }
    std::stable_partition(d_.callables.begin(), d_.callables.end(),
                          [](const Callable& c) { return c.how != CallKind::import; });
  }

 private:
  void problem(std::string what) {
    if (!d_.problem) d_.problem = Problem{at_, std::move(what)};
  }

  // --- bytes -------------------------------------------------------------------------------------------------------
  [[nodiscard]] std::size_t left() const { return in_.size() - pos_; }

  std::string_view take(std::uint64_t size, const char* what) {
    if (size > left()) {
      problem(std::string(what) + " of " + std::to_string(size) + " bytes goes beyond the end, " +
              std::to_string(left()) + " are there");
      return {};
    }
    const auto view = in_.substr(pos_, size);
    pos_ += size;
    return view;
  }

  std::uint64_t little(int bytes) {
    const auto view = take(static_cast<std::uint64_t>(bytes), "a number");
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < view.size(); ++i) n |= std::uint64_t{static_cast<unsigned char>(view[i])} << (8 * i);
    return n;
  }

  std::string_view line() {
    const auto end = in_.find('\n', pos_);
    if (end == std::string_view::npos) {
      problem("a line goes beyond the end");
      return {};
    }
    const auto view = in_.substr(pos_, end - pos_);
    pos_ = end + 1;
    return view;
  }

  // --- nodes -------------------------------------------------------------------------------------------------------
  Ref make(Kind kind) {
    if (d_.nodes.size() > limits_.max_nodes) {
      problem("more than " + std::to_string(limits_.max_nodes) + " values");
      return 0;
    }
    d_.nodes.emplace_back().kind = kind;
    return static_cast<Ref>(d_.nodes.size() - 1);
  }

  void push(Ref ref) {
    if (ref != 0) stack_.push_back(ref);
  }

  void push_integer(std::int64_t value, Kind kind = Kind::integer) {
    if (d_.problem) return;
    const Ref ref = make(kind);
    d_.nodes[ref].integer = value;
    push(ref);
  }

  void push_view(Kind kind, std::string_view view) {
    if (d_.problem) return;
    const Ref ref = make(kind);
    d_.nodes[ref].view = {view.data(), view.size()};
    push(ref);
  }

  void push_owned(Kind kind, std::string text) { push_view(kind, d_.owned.emplace_back(std::move(text))); }

  void push_real(double value) {
    if (d_.problem) return;
    const Ref ref = make(Kind::real);
    d_.nodes[ref].real = value;
    push(ref);
  }

  void push_chain(Kind kind, std::size_t from = SIZE_MAX) {
    const Ref ref = make(kind);
    if (ref == 0) return;
    d_.nodes[ref].chain = {0, 0, 0};
    if (from < stack_.size()) {
      extend(ref, from);
      stack_.resize(from);
    }
    push(ref);
  }

  void push_global(Ref module, Ref name) {
    const Ref ref = make(Kind::global);
    if (ref == 0) return;
    d_.nodes[ref].global = {module, name};
    push(ref);
    note(ref, CallKind::import);
  }

  void push_call(Ref callable, Ref args, CallKind how) {
    const Ref ref = make(Kind::call);
    if (ref == 0) return;
    d_.nodes[ref].call = {callable, args, 0};
    push(ref);
    note(callable, how);
  }

  [[nodiscard]] std::string_view view_of(Ref ref) const {
    const Node& n = d_.nodes[ref];
    return n.kind == Kind::text || n.kind == Kind::bytes ? std::string_view{n.view.data, n.view.size}
                                                         : std::string_view{};
  }

  /// Remembers what unpickling would have imported or called.
  void note(Ref callable, CallKind how) {
    std::string_view module, name;
    const Node& n = d_.nodes[callable];
    if (n.kind == Kind::global) {
      module = view_of(n.global.module);
      name = view_of(n.global.name);
    }
    const auto [it, fresh] = noted_.try_emplace({module, name}, d_.callables.size());
    if (fresh) d_.callables.push_back({module, name, CallKind::import, 0, at_, is_suspicious(module, name)});
    Callable& c = d_.callables[it->second];
    if (how != CallKind::import) {
      if (c.how == CallKind::import) c.how = how;
      ++c.count;
    }
  }

  // --- stack -------------------------------------------------------------------------------------------------------
  [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back().base; }

  bool need(std::size_t count) {
    if (stack_.size() - floor() >= count) return true;
    problem("an operation finds too few values on the stack");
    return false;
  }

  Ref pop() {
    const Ref ref = stack_.back();
    stack_.pop_back();
    return ref;
  }

  std::optional<std::size_t> pop_mark() {
    if (marks_.empty()) {
      problem("an operation finds no mark on the stack");
      return std::nullopt;
    }
    const auto base = marks_.back().base;
    marks_.pop_back();
    return base;
  }

  Ref cell(Ref value) {
    if (d_.cells.size() > limits_.max_nodes * 2) {
      problem("more than " + std::to_string(limits_.max_nodes * 2) + " elements");
      return 0;
    }
    d_.cells.push_back({value, 0});
    return static_cast<Ref>(d_.cells.size() - 1);
  }

  template <class Chain>
  void link(Chain& chain, Ref c) {
    if (c == 0) return;
    if (chain.first == 0) {
      chain.first = c;
    } else {
      d_.cells[chain.last].next = c;
    }
    chain.last = c;
    ++chain.count;
  }

  CallExtra& extra(Ref call) {
    auto& index = d_.nodes[call].call.extra;
    if (index == 0) {
      d_.extras.emplace_back();
      index = static_cast<Ref>(d_.extras.size() - 1);
    }
    return d_.extras[index];
  }

  /// Adds the values from stack position `from` on to a container or to an object.
  void extend(Ref target, std::size_t from) {
    const Kind kind = d_.nodes[target].kind;
    const bool container =
        kind == Kind::list || kind == Kind::dict || kind == Kind::set || kind == Kind::tuple || kind == Kind::frozenset;
    if (!container && kind != Kind::call) return problem("elements are added to a value that is no container");
    for (std::size_t i = from; i < stack_.size(); ++i) {
      const Ref c = cell(stack_[i]);
      if (container) {
        link(d_.nodes[target].chain, c);
      } else {
        link(extra(target), c);
      }
    }
  }

  /// APPENDS, SETITEMS, ADDITEMS.
  void extend_marked(bool pairs) {
    const auto base = pop_mark();
    if (!base) return;
    if (*base <= floor()) return problem("elements are added to nothing");
    if (pairs && (stack_.size() - *base) % 2 != 0) return problem("a dictionary ends in a key without a value");
    full_batch_ = stack_.size() - *base == (pairs ? 2 * kBatch : kBatch);
    extend(stack_[*base - 1], *base);
    stack_.resize(*base);
  }

  void extend_top(std::size_t count) {
    if (!need(count + 1)) return;
    extend(stack_[stack_.size() - count - 1], stack_.size() - count);
    stack_.resize(stack_.size() - count);
  }

  void set_state(Ref object, Ref state) {
    if (d_.nodes[object].kind == Kind::call) extra(object).state = state;
  }

  // --- memo --------------------------------------------------------------------------------------------------------
  void put(std::uint64_t index) {
    if (!need(1)) return;
    // Picklers number what they remember one after the other, so an index beyond the input's length is no pickler's.
    if (index > in_.size()) return problem("memo index " + std::to_string(index) + " in a pickle this short");
    if (index >= memo_.size()) memo_.resize(index + 1);
    if (memo_[index] == 0) ++memo_used_;
    memo_[index] = stack_.back();
  }

  void get(std::uint64_t index) {
    if (d_.problem) return;
    if (index >= memo_.size() || memo_[index] == 0) return problem("memo index " + std::to_string(index) + " is empty");
    stack_.push_back(memo_[index]);
  }

  std::uint64_t line_number() {
    const auto text = line();
    std::uint64_t n = 0;
    if (!d_.problem && std::from_chars(text.data(), text.data() + text.size(), n).ec != std::errc{}) {
      problem("a number is not one");
    }
    return n;
  }

  // --- opcodes -----------------------------------------------------------------------------------------------------
  void integer_line(bool is_long) {
    auto text = line();
    if (!is_long && (text == "00" || text == "01")) return push_integer(text == "01" ? 1 : 0, Kind::boolean);
    if (is_long && text.ends_with('L')) text.remove_suffix(1);
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error == std::errc::result_out_of_range) return push_view(Kind::big_integer, text);
    if (error != std::errc{} || end != text.data() + text.size()) return problem("a number is not one");
    push_integer(n);
  }

  void long_bytes(std::uint64_t size) {
    const auto view = take(size, "an integer");
    if (d_.problem) return;
    if (view.size() > 8) return push_view(Kind::big_integer, view);
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < view.size(); ++i) n |= std::uint64_t{static_cast<unsigned char>(view[i])} << (8 * i);
    const auto bits = 8 * view.size();
    if (bits != 0 && bits < 64 && (n >> (bits - 1)) != 0) n |= ~std::uint64_t{0} << bits;
    push_integer(static_cast<std::int64_t>(n));
  }

  void string_line() {
    auto text = line();
    if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"') && text.back() == text.front()) {
      text = text.substr(1, text.size() - 2);
    }
    if (text.find('\\') == std::string_view::npos) return push_view(Kind::text, text);
    push_owned(Kind::text, unescape(text, false));
  }

  void unicode_line() {
    const auto text = line();
    const auto plain = [](unsigned char c) { return c < 0x80 && c != '\\'; };
    if (std::all_of(text.begin(), text.end(), plain)) return push_view(Kind::text, text);
    push_owned(Kind::text, unescape(text, true));
  }

  void global_lines() {
    const auto module = line();
    const auto name = line();
    if (d_.problem) return;
    push_view(Kind::text, module);
    push_view(Kind::text, name);
    stack_global();
  }

  void stack_global() {
    if (!need(2)) return;
    const Ref name = pop(), module = pop();
    push_global(module, name);
  }

  void object(std::size_t base, Ref callable) {
    push_chain(Kind::tuple, base);
    if (d_.problem || stack_.size() == base) return;
    const Ref args = pop();
    push_call(callable, args, CallKind::new_object);
  }

  void inst() {
    const auto base = pop_mark();
    if (!base) return;
    global_lines();
    if (d_.problem) return;
    const Ref callable = pop();
    object(*base, callable);
  }

  void obj() {
    const auto base = pop_mark();
    if (!base) return;
    if (stack_.size() == *base) return problem("an object has no class");
    const Ref callable = stack_[*base];
    stack_.erase(stack_.begin() + static_cast<std::ptrdiff_t>(*base));
    object(*base, callable);
  }

  void call(std::size_t arguments, CallKind how) {
    if (!need(arguments + 1)) return;
    if (arguments == 2) {  // NEWOBJ_EX: args and kwargs, kept as a pair
      push_chain(Kind::tuple, stack_.size() - 2);
      if (d_.problem) return;
    }
    const Ref args = pop(), callable = pop();
    push_call(callable, args, how);
  }

  void persistent(Ref id) {
    const Ref ref = make(Kind::persistent);
    if (ref == 0) return;
    d_.nodes[ref].call = {0, id, 0};
    push(ref);
  }

  void frame(std::uint64_t size) {
    if (d_.problem || size <= left()) return;
    // A frame cut short is read on to the last byte that is there; one that no pickler writes is not.
    if (size > (std::uint64_t{1} << 62)) problem("a frame of " + std::to_string(size) + " bytes goes beyond the end");
  }

  void mark() {
    const bool fresh = previous_ == '}' || previous_ == ']' || previous_ == 0x8f;
    const bool next_batch = (previous_ == 'u' || previous_ == 'e' || previous_ == 0x90) && full_batch_;
    marks_.push_back({stack_.size(), fresh || next_batch});
  }

  void step(unsigned char op);

  /// After an error: closes what is open, as far as the order of opcodes tells, so that the outermost value is found.
  void put_together() {
    while (!marks_.empty()) {
      const Mark m = marks_.back();
      build_top(m.base);
      if (m.fills && m.base > 0) {
        const Ref target = stack_[m.base - 1];
        std::size_t count = stack_.size() - m.base;
        if (d_.nodes[target].kind == Kind::dict) count -= count % 2;
        stack_.resize(m.base + count);
        extend(target, m.base);
        stack_.resize(m.base);
      } else {
        push_chain(Kind::tuple, m.base);
        if (stack_.size() > m.base + 1) stack_.resize(m.base + 1);
      }
      marks_.pop_back();
    }
    build_top(0);
    d_.root = stack_.empty() ? 0 : stack_.front();
  }

  /// An object without state and a dictionary above it: the state that BUILD would have given it.
  void build_top(std::size_t base) {
    if (stack_.size() < base + 2) return;
    const Ref state = stack_.back(), target = stack_[stack_.size() - 2];
    if (d_.nodes[target].kind != Kind::call || d_.nodes[state].kind != Kind::dict || extra(target).state != 0) return;
    set_state(target, state);
    stack_.pop_back();
  }

  std::string_view in_;
  const Limits& limits_;
  Document::Data& d_;
  std::size_t pos_ = 0, at_ = 0;
  std::vector<Ref> stack_, memo_;
  std::vector<Mark> marks_;
  std::size_t memo_used_ = 0;
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> noted_;
  unsigned char previous_ = 0;
  bool full_batch_ = false, stopped_ = false;
};

void Parser::step(unsigned char op) {
  switch (op) {
    case 0x80:
      d_.protocol = static_cast<int>(little(1));
      if (d_.protocol > 5) problem("protocol " + std::to_string(d_.protocol) + " is not known");
      return;
    case 0x95:
      return frame(little(8));
    case '.':
      if (!need(1) || !marks_.empty()) return problem("the end mark comes inside a value");
      d_.root = stack_.back();
      stopped_ = true;
      return;

    case 'N':
      return push(make(Kind::none));
    case 0x88:
      return push_integer(1, Kind::boolean);
    case 0x89:
      return push_integer(0, Kind::boolean);
    case 'K':
      return push_integer(static_cast<std::int64_t>(little(1)));
    case 'M':
      return push_integer(static_cast<std::int64_t>(little(2)));
    case 'J':
      return push_integer(static_cast<std::int32_t>(little(4)));
    case 0x8a:
      return long_bytes(little(1));
    case 0x8b:
      return long_bytes(little(4));
    case 'I':
      return integer_line(false);
    case 'L':
      return integer_line(true);
    case 'G': {
      const auto view = take(8, "a number");
      std::uint64_t bits = 0;
      for (const char c : view) bits = bits << 8 | static_cast<unsigned char>(c);
      return push_real(std::bit_cast<double>(bits));
    }
    case 'F': {
      const auto text = line();
      double number = 0;
      if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{})
        problem("a number is not one");
      return push_real(number);
    }

    case 0x8c:
      return push_view(Kind::text, take(little(1), "a text"));
    case 'X':
      return push_view(Kind::text, take(little(4), "a text"));
    case 0x8d:
      return push_view(Kind::text, take(little(8), "a text"));
    case 'V':
      return unicode_line();
    case 'S':
      return string_line();
    case 'U':
      return push_view(Kind::text, take(little(1), "a text"));
    case 'T':
      return push_view(Kind::text, take(little(4), "a text"));
    case 'C':
      return push_view(Kind::bytes, take(little(1), "a byte string"));
    case 'B':
      return push_view(Kind::bytes, take(little(4), "a byte string"));
    case 0x8e:
    case 0x96:
      return push_view(Kind::bytes, take(little(8), "a byte string"));
    case 0x97:
      return push(make(Kind::buffer));
    case 0x98:
      need(1);
      return;

    case ')':
      return push_chain(Kind::tuple);
    case 0x85:
      if (need(1)) push_chain(Kind::tuple, stack_.size() - 1);
      return;
    case 0x86:
      if (need(2)) push_chain(Kind::tuple, stack_.size() - 2);
      return;
    case 0x87:
      if (need(3)) push_chain(Kind::tuple, stack_.size() - 3);
      return;
    case 't':
      if (const auto base = pop_mark()) push_chain(Kind::tuple, *base);
      return;
    case ']':
      return push_chain(Kind::list);
    case 'l':
      if (const auto base = pop_mark()) push_chain(Kind::list, *base);
      return;
    case '}':
      return push_chain(Kind::dict);
    case 'd':
      if (const auto base = pop_mark()) {
        if ((stack_.size() - *base) % 2 != 0) return problem("a dictionary ends in a key without a value");
        push_chain(Kind::dict, *base);
      }
      return;
    case 0x8f:
      return push_chain(Kind::set);
    case 0x91:
      if (const auto base = pop_mark()) push_chain(Kind::frozenset, *base);
      return;
    case 'a':
      return extend_top(1);
    case 's':
      return extend_top(2);
    case 'e':
    case 0x90:
      return extend_marked(false);
    case 'u':
      return extend_marked(true);

    case '(':
      return mark();
    case '0':
      if (stack_.size() > floor()) {
        stack_.pop_back();
      } else {
        pop_mark();
      }
      return;
    case '1':
      if (const auto base = pop_mark()) stack_.resize(*base);
      return;
    case '2':
      if (need(1)) stack_.push_back(stack_.back());
      return;

    case 'p':
      return put(line_number());
    case 'q':
      return put(little(1));
    case 'r':
      return put(little(4));
    case 0x94:
      return put(memo_used_);
    case 'g':
      return get(line_number());
    case 'h':
      return get(little(1));
    case 'j':
      return get(little(4));

    case 'c':
      return global_lines();
    case 0x93:
      return stack_global();
    case 'R':
      return call(1, CallKind::reduce);
    case 0x81:
      return call(1, CallKind::new_object);
    case 0x92:
      return call(2, CallKind::new_object);
    case 'i':
      return inst();
    case 'o':
      return obj();
    case 'b':
      if (need(2)) {
        const Ref state = pop();
        set_state(stack_.back(), state);
      }
      return;
    case 'P':
      push_view(Kind::text, line());
      if (!d_.problem) persistent(pop());
      return;
    case 'Q':
      if (need(1)) persistent(pop());
      return;
    case 0x82:
      return push_integer(static_cast<std::int64_t>(little(1)), Kind::extension);
    case 0x83:
      return push_integer(static_cast<std::int64_t>(little(2)), Kind::extension);
    case 0x84:
      return push_integer(static_cast<std::int32_t>(little(4)), Kind::extension);
    default:
      return problem("byte " + std::to_string(op) + " is no pickle operation");
  }
}

Document Document::parse(std::string_view input, const Limits& limits) {
  auto data = std::make_unique<Data>();
  Parser(input, limits, *data).run();
  return Document(std::move(data));
}

}  // namespace keyhole::pickle
