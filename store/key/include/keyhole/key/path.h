// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace keyhole {

/// Where PyTorch keeps its caches: TORCHINDUCTOR_CACHE_DIR, else the temporary directory and "torchinductor_" with the
/// user's name, the characters \/:*?"<>| replaced by "_"; absolute. Asked of the environment on each call, since it may
/// change while a program runs. Nothing is created.
[[nodiscard]] std::string inductor_cache_root();

/// TRITON_CACHE_DIR as it stands, else `<root>/triton/<device_index>`.
[[nodiscard]] std::string triton_cache_dir(std::string_view root, int device_index);

/// Where a file of a code cache stands.
struct CodePath {
  std::string basename, folder, path;
};
/// `dir` absolute: that folder; relative: `<root>/dir`; empty: `<root>/<characters 1 and 2 of the basename>`. A
/// basename shorter than 3 characters gives a shorter folder, as PyTorch's does. The extension may hold dots
/// ("main.cpp").
[[nodiscard]] CodePath code_path(std::string_view root, std::string_view basename, std::string_view extension,
                                 std::string_view dir = {});

/// `<root>/fxgraph/<key[1:3]>/<key>`: the folder of a graph's entries.
[[nodiscard]] std::string fx_graph_folder(std::string_view root, std::string_view key);
/// `<root>/aotautograd/<key>`.
[[nodiscard]] std::string autograd_folder(std::string_view root, std::string_view key);

/// Python's str.strip() for UTF-8 text: all white space of Unicode at both ends.
[[nodiscard]] std::string_view strip_text(std::string_view text);
/// bytes.strip(): space, \t \n \r \v \f.
[[nodiscard]] std::string_view strip_bytes(std::string_view bytes);

}  // namespace keyhole
