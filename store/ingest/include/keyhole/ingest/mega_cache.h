// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"
#include "keyhole/ingest/cache_folder.h"

namespace keyhole {

/// Reads a file of torch.compiler.save_cache_artifacts (keyhole/base/mega_cache_codec.h has its bytes), plain or
/// compressed, and emits a snapshot with an entry for each artifact: inductor and aot_autograd as in a cache folder,
/// autotune, pgo and precompile by key, other types by their name in metadata_json. `name` is the name that PyTorch
/// would give the file in its folder. Damage is a problem with its offset; what stood before it is kept. Errors:
/// not_found, io, bad_input (no mega-cache, larger than options.max_file).
Result<FolderSummary> read_mega_cache_file(const std::string& path, const FolderOptions& options, ComponentPool& pool,
                                           RecordSink& sink);

/// Whether the first bytes of a (decompressed) file are those of a mega-cache: there is no magic, but a version, a
/// length and base64.
[[nodiscard]] bool looks_like_mega_cache(std::string_view head);

}  // namespace keyhole
