// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"

namespace keyhole {

/// Reads `cache_key_factors.json`, which vLLM writes when it compiles under a key for the first time:
///
///   torch_compile_cache/<key>/rank_<r>_<dp>/<prefix>/cache_key_factors.json
///   {"env": {...}, "config": {...}, "compiler": {...}, "code": [...] or {...},
///    "config_hash": "...", "compiler_hash": "...", "code_hash": "..."}
///
/// Emits one miss of layer dynamo (that of the whole compiled model) whose components are the factors: env[NAME],
/// config[parallel_config.x], compiler[...], code[file], and the hashes. A component's digest is the SHA-256 of its
/// value as compact JSON with sorted keys; vLLM's own are over whole groups. Errors: not_found, io, bad_input.
Result<void> read_vllm_factors(const std::string& path, ComponentPool& pool, RecordSink& sink);

/// A JSON object that begins with, and has, the members of such a file.
[[nodiscard]] bool looks_like_vllm_factors(const std::string& path, std::string_view head);

}  // namespace keyhole
