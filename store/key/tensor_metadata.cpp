// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/tensor_metadata.h"

#include <charconv>
#include <utility>

namespace keyhole {
namespace {

using Field = std::pair<std::string_view, std::string_view>;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Splits at the commas that stand outside brackets and quotes. False: brackets do not match.
bool split_items(std::string_view text, std::vector<std::string_view>& items) {
  std::string open;
  char quote = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      open.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) return false;
      open.pop_back();
    } else if (c == ',' && open.empty()) {
      items.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  if (quote != 0 || !open.empty()) return false;
  const std::string_view last = trimmed(text.substr(begin));
  if (!last.empty()) items.push_back(last);
  return true;
}

bool take_wrapping(std::string_view& text, std::string_view before, std::string_view after) {
  if (text.size() < before.size() + after.size() || !text.starts_with(before) || !text.ends_with(after)) return false;
  text = text.substr(before.size(), text.size() - before.size() - after.size());
  return true;
}

bool split_fields(std::string_view text, std::vector<Field>& fields) {
  std::vector<std::string_view> items;
  if (!split_items(text, items)) return false;
  for (const std::string_view item : items) {
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) return false;
    fields.emplace_back(item.substr(0, equals), item.substr(equals + 1));
  }
  return true;
}

bool parse_number(std::string_view text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

SymbolicInt parse_size(std::string_view text) {
  std::int64_t number = 0;
  return parse_number(text, number) ? SymbolicInt(number) : SymbolicInt(std::string(text));
}

bool parse_sizes(std::string_view text, std::vector<SymbolicInt>& out) {
  if (take_wrapping(text, "torch.Size(", ")")) text = trimmed(text);
  if (!take_wrapping(text, "[", "]") && !take_wrapping(text, "(", ")")) return false;
  std::vector<std::string_view> items;
  if (!split_items(text, items)) return false;
  out.clear();
  for (const std::string_view item : items) out.push_back(parse_size(item));
  return true;
}

bool parse_bool(std::string_view text, bool& out) {
  if (text != "True" && text != "False") return false;
  out = text == "True";
  return true;
}

template <class T, class Parse>
bool parse_optional(std::string_view text, std::optional<T>& out, Parse parse) {
  out.reset();
  if (text == "None") return true;
  T value{};
  if (!parse(text, value)) return false;
  out = std::move(value);
  return true;
}

bool parse_device(std::string_view text, TensorMetadata& out) {
  std::vector<Field> fields;
  if (!take_wrapping(text, "device(", ")") || !split_fields(text, fields)) return false;
  for (auto [name, value] : fields) {
    if (name == "type" && take_wrapping(value, "'", "'")) {
      out.device_type = value;
    } else if (std::int64_t index = 0; name == "index" && parse_number(value, index)) {
      out.device_index = index;
    } else {
      return false;
    }
  }
  return true;
}

// False: the field is known and its value is not what it should be.
bool set_field(TensorMetadata& m, std::string_view name, std::string_view value) {
  const auto size = [](std::string_view text, SymbolicInt& out) { return out = parse_size(text), true; };
  if (name == "dtype") return m.dtype = value, true;
  if (name == "shape") return parse_sizes(value, m.shape);
  if (name == "stride") return parse_sizes(value, m.stride);
  if (name == "device") return parse_device(value, m);
  if (name == "layout") return m.layout = value, true;
  if (name == "memory_format") return m.memory_format = value == "None" ? std::string_view{} : value, true;
  if (name == "storage_offset") return size(value, m.storage_offset);
  if (name == "storage_bytes") return parse_optional(value, m.storage_bytes, size);
  if (name == "requires_grad") return parse_bool(value, m.requires_grad);
  if (name == "is_quantized") return parse_bool(value, m.is_quantized);
  if (name == "is_conj") return parse_bool(value, m.is_conj);
  if (name == "is_neg") return parse_bool(value, m.is_neg);
  if (name == "is_inference") return parse_bool(value, m.is_inference);
  if (name == "is_sparse") return parse_bool(value, m.is_sparse);
  if (name == "is_coalesced") return parse_optional(value, m.is_coalesced, parse_bool);
  if (name == "dense_dim") return parse_optional(value, m.dense_dim, parse_number);
  if (name == "sparse_dim") return parse_optional(value, m.sparse_dim, parse_number);
  m.unknown.emplace_back(name, value);
  return true;
}

std::string joined(const std::vector<SymbolicInt>& sizes) {
  std::string out;
  for (const SymbolicInt& size : sizes) {
    if (!out.empty()) out += ", ";
    out += size.text();
  }
  return out;
}

const char* python(bool value) {
  return value ? "True" : "False";
}

std::string python(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "None";
}

}  // namespace

std::string SymbolicInt::text() const {
  return symbolic() ? symbol : std::to_string(value);
}

std::string TensorMetadata::shape_text() const {
  return "[" + joined(shape) + "]";
}

std::string TensorMetadata::stride_text() const {
  return "(" + joined(stride) + (stride.size() == 1 ? ",)" : ")");
}

std::string TensorMetadata::device_text() const {
  return device_index ? device_type + ":" + std::to_string(*device_index) : device_type;
}

std::vector<std::pair<std::string, std::string>> TensorMetadata::fields() const {
  std::string device = "device(type='" + device_type + "'";
  if (device_index) device += ", index=" + std::to_string(*device_index);
  std::vector<std::pair<std::string, std::string>> out = {
      {"dtype", dtype},
      {"shape", "torch.Size(" + shape_text() + ")"},
      {"stride", stride_text()},
      {"device", device + ")"},
      {"layout", layout},
      {"memory_format", memory_format.empty() ? "None" : memory_format},
      {"storage_offset", storage_offset.text()},
      {"storage_bytes", storage_bytes ? storage_bytes->text() : "None"},
      {"requires_grad", python(requires_grad)},
      {"is_quantized", python(is_quantized)},
      {"is_conj", python(is_conj)},
      {"is_neg", python(is_neg)},
      {"is_inference", python(is_inference)},
      {"is_sparse", python(is_sparse)},
      {"is_coalesced", is_coalesced ? python(*is_coalesced) : "None"},
      {"dense_dim", python(dense_dim)},
      {"sparse_dim", python(sparse_dim)}};
  out.insert(out.end(), unknown.begin(), unknown.end());
  return out;
}

std::string TensorMetadata::text() const {
  std::string out = "TensorMetadata(";
  bool first = true;
  for (const auto& [name, value] : fields()) {
    if (!std::exchange(first, false)) out += ", ";
    out += name + "=" + value;
  }
  return out + ")";
}

std::optional<TensorText> parse_tensor_metadata(std::string_view text) {
  TensorText out;
  if (text.starts_with("(TensorMetadata")) take_wrapping(text, "(", ",)");
  std::vector<Field> fields;
  if (take_wrapping(text, "TensorMetadataAndValues(", ")")) {
    if (!split_fields(text, fields) || fields.empty() || fields[0].first != "tensor_metadata") return std::nullopt;
    text = fields[0].second;
    if (fields.size() > 1 && fields[1].first == "values") out.values = fields[1].second;
    fields.clear();
  }
  if (!take_wrapping(text, "TensorMetadata(", ")") || !split_fields(text, fields) || fields.empty())
    return std::nullopt;
  for (const auto& [name, value] : fields)
    if (!set_field(out.metadata, name, value)) return std::nullopt;
  return out;
}

std::optional<std::string_view> parse_symbol_text(std::string_view text) {
  if (!take_wrapping(text, "('", "',)") || text.empty() || text.find('\'') != std::string_view::npos)
    return std::nullopt;
  return text;
}

}  // namespace keyhole
