// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/torch_pickle.h"

#include <algorithm>
#include <bit>

#include "components.h"
#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

using Kind = KeyValue::Kind;

// Opcodes of protocol 4 (Python's pickletools).
namespace op {
constexpr char kMark = '(', kStop = '.', kNone = 'N', kTrue = '\x88', kFalse = '\x89', kInt1 = 'K', kInt2 = 'M',
               kInt4 = 'J', kLong1 = '\x8a', kLong4 = '\x8b', kFloat = 'G', kText1 = '\x8c', kText4 = 'X',
               kText8 = '\x8d', kBytes1 = 'C', kBytes4 = 'B', kBytes8 = '\x8e', kTuple0 = ')', kTuple1 = '\x85',
               kTuple = 't', kList = ']', kAppend = 'a', kAppends = 'e', kDict = '}', kSetItem = 's', kSetItems = 'u',
               kSet = '\x8f', kAddItems = '\x90', kFrozenSet = '\x91', kGlobal = '\x93', kReduce = 'R',
               kNewObject = '\x81', kBuild = 'b', kFrame = '\x95';
}  // namespace op

constexpr std::size_t kFrameTarget = 64 * 1024, kFrameLeast = 4, kFrameHeader = 9, kBatch = 1000;

// Writes as CPython's C pickler does: a frame opens with the first byte after the last one closed, and closes before an
// object once it holds 64 KiB; payloads of 64 KiB stand outside of frames.
class Writer {
 public:
  Writer(std::string& out, bool framed) : out_(out), framed_(framed) {}

  void value(const KeyValue& v) {
    object();
    switch (v.kind()) {
      case Kind::null:
        return put(op::kNone);
      case Kind::boolean:
        return put(v.truth() ? op::kTrue : op::kFalse);
      case Kind::integer:
        return v.is_big() ? big(v.text()) : integer(v.number());
      case Kind::real:
        return real(v.real());
      case Kind::text:
        return sized(v.text(), op::kText1, op::kText4, op::kText8);
      case Kind::bytes:
        return sized(v.text(), op::kBytes1, op::kBytes4, op::kBytes8);
      case Kind::list:
        put(op::kList);
        return batches(v.items(), 0, 1, op::kAppend, op::kAppends, false);
      case Kind::tuple:
        return tuple(v.items());
      case Kind::map:
        put(op::kDict);
        return batches(v.items(), 0, 2, op::kSetItem, op::kSetItems, false);
      case Kind::set:
        put(op::kSet);
        for (std::size_t i = 0; i < v.items().size(); i += kBatch) marked(v.items(), i, i + kBatch, op::kAddItems);
        return;
      case Kind::frozen_set:
        return marked(v.items(), 0, v.items().size(), op::kFrozenSet);
      case Kind::symbol:
        return symbol(v.text());
      case Kind::tensor:
        identity([&] { metadata(v.metadata()); });
        return;
      case Kind::tensor_values:
        identity([&] {
          object();
          new_object("torch._inductor.codecache", "TensorMetadataAndValues");
          object();
          put(op::kDict);
          put(op::kMark);
          text("tensor_metadata");
          metadata(v.metadata());
          text("values");
          value(v.items()[0]);
          put(op::kSetItems);
          put(op::kBuild);
        });
        return;
      case Kind::reference:
        return names(v.text(), v.items()[0].text());
      case Kind::call:
        value(v.items()[0]);
        value(v.items()[1]);
        put(op::kReduce);
        return batches(v.items(), 2, 2, op::kSetItem, op::kSetItems, true);
      case Kind::record:
        value(v.items()[0]);
        object();
        put(op::kTuple0);
        put(op::kNewObject);
        object();
        put(op::kDict);
        batches(v.items(), 1, 2, op::kSetItem, op::kSetItems, false);
        return put(op::kBuild);
      case Kind::opaque:
        return put(v.text());
    }
  }

  void finish() {
    put(op::kStop);
    close_frame();
  }

 private:
  // An object begins here.
  void object() {
    if (open_ && out_.size() - frame_ - kFrameHeader >= kFrameTarget) close_frame();
  }

  void put(std::string_view bytes) {
    if (framed_ && !open_) {
      open_ = true;
      frame_ = out_.size();
      out_.append(kFrameHeader, '\0');
    }
    out_ += bytes;
  }
  void put(char byte) { put(std::string_view(&byte, 1)); }

  void close_frame() {
    if (!open_) return;
    open_ = false;
    const std::size_t length = out_.size() - frame_ - kFrameHeader;
    if (length < kFrameLeast) {
      out_.erase(frame_, kFrameHeader);
      return;
    }
    out_[frame_] = op::kFrame;
    for (std::size_t i = 0; i < 8; ++i) out_[frame_ + 1 + i] = static_cast<char>(length >> (8 * i));
  }

  void number(char opcode, std::uint64_t value, std::size_t bytes) {
    char encoded[9] = {opcode};
    for (std::size_t i = 0; i < bytes; ++i) encoded[1 + i] = static_cast<char>(value >> (8 * i));
    put(std::string_view(encoded, 1 + bytes));
  }

  void integer(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= 0 && value <= 0xff) return number(op::kInt1, bits, 1);
    if (value >= 0 && value <= 0xffff) return number(op::kInt2, bits, 2);
    if (value == static_cast<std::int32_t>(value)) return number(op::kInt4, bits, 4);
    std::size_t size = 8;  // minimal two's complement
    while (size > 1 && (value >> (8 * size - 9)) == (value < 0 ? -1 : 0)) --size;
    number(op::kLong1, size, 1);
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(bits >> (8 * i));
    put(bytes);
  }

  void big(const std::string& twos) {
    number(twos.size() < 256 ? op::kLong1 : op::kLong4, twos.size(), twos.size() < 256 ? 1 : 4);
    put(twos);
  }

  void real(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    char encoded[9] = {op::kFloat};
    for (std::size_t i = 0; i < 8; ++i) encoded[1 + i] = static_cast<char>(bits >> (56 - 8 * i));
    put(std::string_view(encoded, sizeof encoded));
  }

  void sized(std::string_view payload, char one, char four, char eight) {
    const std::size_t size = payload.size();
    const bool large = size >= kFrameTarget, framed = framed_;
    if (large) {
      close_frame();
      framed_ = false;
    }
    if (size <= 0xff)
      number(one, size, 1);
    else if (size <= 0xffffffff)
      number(four, size, 4);
    else
      number(eight, size, 8);
    put(payload);
    framed_ = framed;
  }

  void text(std::string_view payload) {
    object();
    sized(payload, op::kText1, op::kText4, op::kText8);
  }

  void tuple(const KeyValue::Items& items) {
    if (items.size() > 3) return marked(items, 0, items.size(), op::kTuple);
    for (const KeyValue& item : items) value(item);
    put(items.empty() ? op::kTuple0 : static_cast<char>(op::kTuple1 + static_cast<char>(items.size() - 1)));
  }

  void marked(const KeyValue::Items& items, std::size_t first, std::size_t last, char end) {
    put(op::kMark);
    for (std::size_t i = first; i < std::min(last, items.size()); ++i) value(items[i]);
    put(end);
  }

  // Elements of `width` values each. A lone element needs no mark; nor does a lone rest where `lone_rest` (what CPython
  // does for items that come from an iterator).
  void batches(const KeyValue::Items& items, std::size_t first, std::size_t width, char one, char many,
               bool lone_rest) {
    const std::size_t step = kBatch * width;
    for (std::size_t i = first; i < items.size(); i += step) {
      const bool lone = items.size() - i == width && (lone_rest || i == first);
      if (!lone) put(op::kMark);
      for (std::size_t j = i; j < std::min(i + step, items.size()); ++j) value(items[j]);
      put(lone ? one : many);
    }
  }

  void names(std::string_view module, std::string_view name) {
    text(module);
    text(name);
    put(op::kGlobal);
  }
  void reference(std::string_view module, std::string_view name) {
    object();
    names(module, name);
  }
  // Class and empty arguments: the object is made, its state follows.
  void new_object(std::string_view module, std::string_view name) {
    reference(module, name);
    object();
    put(op::kTuple0);
    put(op::kNewObject);
  }

  // _ident(x): how PyTorch's reducers wrap what they put in the place of tensors and symbols.
  template <class Argument>
  void identity(Argument argument) {
    reference("torch._inductor.codecache", "_ident");
    object();
    argument();
    put(op::kTuple1);
    put(op::kReduce);
  }
  void symbol(std::string_view expression) {
    identity([&] { text(expression); });
  }

  void size(const SymbolicInt& n) {
    object();
    if (n.symbolic())
      symbol(n.symbol);
    else
      integer(n.value);
  }
  void sizes(const std::vector<SymbolicInt>& all) {
    object();
    if (all.size() > 3) put(op::kMark);
    for (const SymbolicInt& n : all) size(n);
    put(all.empty()      ? op::kTuple0
        : all.size() > 3 ? op::kTuple
                         : static_cast<char>(op::kTuple1 + static_cast<char>(all.size() - 1)));
  }
  void flag(std::string_view name, std::optional<bool> set) {
    text(name);
    object();
    put(!set ? op::kNone : *set ? op::kTrue : op::kFalse);
  }
  void dimension(std::string_view name, std::optional<std::int64_t> set) {
    text(name);
    object();
    if (set)
      integer(*set);
    else
      put(op::kNone);
  }

  // A dataclass with slots: its state is the pair (None, {field: value}).
  void metadata(const TensorMetadata& m) {
    object();
    new_object("torch._subclasses.fake_tensor", "TensorMetadata");
    object();
    object();
    put(op::kNone);
    object();
    put(op::kDict);
    put(op::kMark);
    text("dtype");
    const std::size_t dot = m.dtype.rfind('.');
    reference(dot == std::string::npos ? "torch" : m.dtype.substr(0, dot),
              m.dtype.substr(dot == std::string::npos ? 0 : dot + 1));
    text("shape");
    object();
    reference("torch", "Size");
    object();
    sizes(m.shape);
    put(op::kTuple1);
    put(op::kReduce);
    text("stride");
    sizes(m.stride);
    text("device");
    object();
    reference("torch", "device");
    object();
    text(m.device_type);
    if (m.device_index) size(*m.device_index);
    put(m.device_index ? static_cast<char>(op::kTuple1 + 1) : op::kTuple1);
    put(op::kReduce);
    text("layout");
    object();
    reference("torch.serialization", "_get_layout");
    object();
    text(m.layout);
    put(op::kTuple1);
    put(op::kReduce);
    text("memory_format");
    if (m.memory_format.empty()) {
      object();
      put(op::kNone);
    } else {
      reference("torch._utils", m.memory_format);
    }
    text("storage_offset");
    size(m.storage_offset);
    text("storage_bytes");
    if (m.storage_bytes) {
      size(*m.storage_bytes);
    } else {
      object();
      put(op::kNone);
    }
    flag("requires_grad", m.requires_grad);
    flag("is_quantized", m.is_quantized);
    flag("is_conj", m.is_conj);
    flag("is_neg", m.is_neg);
    flag("is_inference", m.is_inference);
    flag("is_sparse", m.is_sparse);
    flag("is_coalesced", m.is_coalesced);
    dimension("dense_dim", m.dense_dim);
    dimension("sparse_dim", m.sparse_dim);
    put(op::kSetItems);
    put(static_cast<char>(op::kTuple1 + 1));
    put(op::kBuild);
  }

  std::string& out_;
  bool framed_;
  bool open_ = false;
  std::size_t frame_ = 0;  // where the header of the open frame stands
};

void append_pickle(const KeyValue& value, std::string& out) {
  out += "\x80\x04";
  Writer writer(out, true);
  writer.value(value);
  writer.finish();
}

}  // namespace

std::string torch_pickle(const KeyValue& value) {
  std::string out;
  append_pickle(value, out);
  return out;
}

std::string torch_pickle_body(const KeyValue& value) {
  std::string out;
  Writer(out, false).value(value);
  return out;
}

Digest torch_digest(const KeyValue& value) {
  thread_local std::string buffer;
  buffer.clear();
  append_pickle(value, buffer);
  return component_sha256(buffer);
}

std::string torch_fx_key(const DetailFields& fields) {
  const KeyValue type = KeyValue::reference("torch._inductor.codecache", "FxGraphHashDetails");
  return kFxGraph.key_of(torch_digest(KeyValue::record(type, fields)));
}

std::vector<Component> torch_components(const DetailFields& fields) {
  std::vector<Component> out;
  for_each_component(fields, [&out](std::string name, const KeyValue& value) {
    out.push_back({std::move(name), torch_digest(value), value.shown()});
  });
  return out;
}

}  // namespace keyhole
