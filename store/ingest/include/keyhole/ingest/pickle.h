// SPDX-License-Identifier: Apache-2.0
// Python pickles, protocols 0 to 5, read by opcode into a tree of plain values. Nothing is imported, called or
// executed: what a pickle would have called stands in the tree as a call node and in `callables()`, for people to see.
// Format: the opcode table of CPython's pickletools; PEP 307, 3154, 574.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keyhole::pickle {

enum class Kind : std::uint8_t {
  absent,  ///< no such value: what every accessor gives that does not apply
  none,
  boolean,
  integer,
  big_integer,  ///< beyond 64 bits: bytes() holds its little-endian two's complement, or its decimal text in protocol 0
  real,
  text,
  bytes,
  tuple,
  list,
  dict,
  set,
  frozenset,
  global,      ///< a class or function by name: module() and name()
  call,        ///< what calling callable() with args() would have made; state() is what __setstate__ would have got
  persistent,  ///< a persistent id: args() is the id
  extension,   ///< copyreg extension: integer() is its code
  buffer       ///< an out-of-band buffer; its bytes are not in this pickle
};

enum class CallKind : std::uint8_t { import, reduce, new_object };

/// A callable that unpickling would have imported or run. A callable that is itself the result of a call has no name.
struct Callable {
  std::string_view module, name;
  CallKind how = CallKind::import;  ///< import: looked up, not called
  std::int64_t count = 0;
  std::size_t offset = 0;   ///< of its first use
  bool suspicious = false;  ///< runs commands or code, or reaches files or the network: not what a compiler cache needs
};

struct Limits {
  std::size_t max_nodes = 16u << 20;  ///< values; 40 bytes each at most
};

class Document;
class Range;

/// A handle on one value of a Document, cheap to copy, valid while the Document and the input bytes live. Every
/// accessor of a value of another kind gives an empty answer, so chains need no checks. Values may share and, in a
/// hostile pickle, contain themselves: walk with a bound.
class Value {
 public:
  Value() = default;
  [[nodiscard]] Kind kind() const;
  explicit operator bool() const { return kind() != Kind::absent; }
  [[nodiscard]] bool is_none() const { return kind() == Kind::none; }
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<double> real() const;  ///< also of an integer
  [[nodiscard]] std::string_view text() const;       ///< "" where it is no text; UTF-8 as found, not validated
  [[nodiscard]] std::string_view bytes() const;
  [[nodiscard]] std::size_t size() const;  ///< elements; pairs of a dict; bytes of text and bytes
  /// Elements of a tuple, list or set; keys and values in turn of a dict; of a call: what was appended to the object.
  [[nodiscard]] Range items() const;
  [[nodiscard]] Value at(std::size_t index) const;              ///< of items(); linear
  [[nodiscard]] Value get(std::string_view key) const;          ///< of a dict, by text key; the last one of equal keys
  [[nodiscard]] std::string_view module() const, name() const;  ///< of a global, or of a call's callable
  [[nodiscard]] Value callable() const, args() const, state() const;  ///< of a call
  /// Of an object: the value that its state (a dict, or a pair of dicts where it has slots) gives the attribute.
  [[nodiscard]] Value attribute(std::string_view name) const;
  /// As Python would print it, cut at `max_chars` and at 16 levels.
  [[nodiscard]] std::string display(std::size_t max_chars = 400) const;

 private:
  friend class Document;
  friend class Range;
  friend class Parser;
  Value(const Document* document, std::uint32_t ref) : document_(document), ref_(ref) {}
  const Document* document_ = nullptr;
  std::uint32_t ref_ = 0;
};

struct Problem {
  std::size_t offset = 0;  ///< of the opcode that could not be read
  std::string what;        ///< "the text of 4096 bytes goes beyond the end"
};

/// One pickle. Views into the input: keep the input alive. Destruction is flat, whatever the nesting.
class Document {
 public:
  /// Reads one pickle from the start of `input`. Always gives a document: after an error, root() is what could be put
  /// together of what was read before it.
  [[nodiscard]] static Document parse(std::string_view input, const Limits& limits = {});
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  [[nodiscard]] Value root() const;
  [[nodiscard]] const std::optional<Problem>& problem() const;
  [[nodiscard]] std::size_t consumed() const;  ///< bytes up to and with STOP, or up to the error
  [[nodiscard]] int protocol() const;          ///< 0 where the pickle does not say
  /// What unpickling would have imported and run, each once, in the order of first use; calls before mere imports.
  [[nodiscard]] const std::vector<Callable>& callables() const;

 private:
  friend class Value;
  friend class Range;
  friend class Parser;
  struct Data;
  explicit Document(std::unique_ptr<Data> data);
  std::unique_ptr<Data> data_;
};

/// Forward iteration over the elements of a container.
class Range {
 public:
  class Iterator {
   public:
    Value operator*() const;
    Iterator& operator++();
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.cell_ == b.cell_; }

   private:
    friend class Range;
    Iterator(const Document* document, std::uint32_t cell) : document_(document), cell_(cell) {}
    const Document* document_;
    std::uint32_t cell_;
  };
  [[nodiscard]] Iterator begin() const { return {document_, first_}; }
  [[nodiscard]] Iterator end() const { return {document_, 0}; }

 private:
  friend class Value;
  Range(const Document* document, std::uint32_t first) : document_(document), first_(first) {}
  const Document* document_;
  std::uint32_t first_;
};

/// "torch.load" is; "torch.Size" is not.
[[nodiscard]] bool is_suspicious(std::string_view module, std::string_view name);

}  // namespace keyhole::pickle
