// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyhole {

/// A size, a stride or an offset: a number, or a symbol or an expression of symbols as PyTorch prints it ("s77",
/// "s27*s77").
struct SymbolicInt {
  std::int64_t value = 0;  ///< meaningful only where `symbol` is empty
  std::string symbol;
  SymbolicInt() = default;
  SymbolicInt(std::int64_t number) : value(number) {}  // NOLINT(google-explicit-constructor): a number is one
  explicit SymbolicInt(std::string expression) : symbol(std::move(expression)) {}
  [[nodiscard]] bool symbolic() const { return !symbol.empty(); }
  [[nodiscard]] std::string text() const;  ///< "8", "s77"
  friend bool operator==(const SymbolicInt&, const SymbolicInt&) = default;
};

/// What keys hold of a tensor: 17 fields, in this order, as `TensorMetadata(...)` of PyTorch prints them.
struct TensorMetadata {
  std::string dtype = "torch.float32";
  std::vector<SymbolicInt> shape, stride;  ///< stride is empty for layouts that are not strided
  std::string device_type = "cpu";
  std::optional<std::int64_t> device_index;  ///< absent: the current device
  std::string layout = "torch.strided";
  std::string memory_format;  ///< "torch.contiguous_format"; empty: None
  SymbolicInt storage_offset;
  std::optional<SymbolicInt> storage_bytes;  ///< absent in keys, but for inputs marked static
  bool requires_grad = false, is_quantized = false, is_conj = false, is_neg = false, is_inference = false,
       is_sparse = false;
  std::optional<bool> is_coalesced;  ///< sparse COO only
  std::optional<std::int64_t> dense_dim, sparse_dim;
  /// Fields that this version does not know, as printed.
  std::vector<std::pair<std::string, std::string>> unknown;

  [[nodiscard]] std::string shape_text() const;   ///< "[8, 16]"
  [[nodiscard]] std::string stride_text() const;  ///< "(16, 1)", "(1,)", "()"
  [[nodiscard]] std::string device_text() const;  ///< "cpu", "cuda:1"
  /// Every field with its value as printed ("shape": "torch.Size([8, 16])"), in the order of PyTorch.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> fields() const;
  [[nodiscard]] std::string text() const;  ///< "TensorMetadata(dtype=torch.float32, shape=…)"
  friend bool operator==(const TensorMetadata&, const TensorMetadata&) = default;
};

/// A component's text taken as a tensor.
struct TensorText {
  TensorMetadata metadata;
  std::string_view values;  ///< of `TensorMetadataAndValues(…)`, as printed ("[[0.0, 1.0]]"); empty: none are shown
};

/// Reads `TensorMetadata(…)` or `TensorMetadataAndValues(tensor_metadata=…, values=…)`, also within the one-element
/// tuple that PyTorch's reducers print. Absent: the text is not that, or is cut. Fields that are missing keep their
/// defaults.
[[nodiscard]] std::optional<TensorText> parse_tensor_metadata(std::string_view text);

/// Reads a symbolic size as components print it: `('s77',)` gives "s77". Absent: the text is not that.
[[nodiscard]] std::optional<std::string_view> parse_symbol_text(std::string_view text);

}  // namespace keyhole
