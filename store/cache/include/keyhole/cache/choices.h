// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

class ArtifactCache;

/// The hash under which measurements of one system stand: system_json as PyTorch makes it ({"device": …, "version":
/// …}), keys sorted; without a usable device "{}".
[[nodiscard]] std::string system_hash(const nlohmann::ordered_json& system);

/// (hash of the choice, seconds), in the order in which the choices were asked for.
using Timings = std::vector<std::pair<std::string, double>>;

/// What each way to compute an operation took: PyTorch's persistent cache.
class ChoiceCache {
 public:
  struct Options {
    bool local = true;                  ///< autotune_local_cache
    std::string precision = "highest";  ///< of float32 matmul: "highest", "high", "medium"
    bool torch_compat = false;          ///< with `local` off, a measurement forgets all that was stored before
  };
  /// `system`: what is measured on; its hash keeps the measurements of two machines apart.
  ChoiceCache(ArtifactCache& store, std::string system, Options options);

  /// The timings of all choices; with `benchmark`, measured where one is missing: all anew, since timings of two runs
  /// do not compare. Without it, those before the first that is missing. internal where `benchmark` leaves one out.
  using Benchmark = std::function<Timings(const std::vector<std::string>& choices)>;
  Result<Timings> lookup(const std::vector<std::string>& choices, const std::string& op, const std::string& inputs,
                         const Benchmark& benchmark = {}, const std::optional<std::string>& hint_override = {});

  /// PyTorch's file of these: {"system": …, "cache": {op: {inputs: {precision: {choice: seconds}}}}}.
  Result<std::string> file_text(const nlohmann::ordered_json& system) const;

 private:
  ArtifactCache& store_;
  std::string system_;
  Options options_;
};

/// Nested maps under a list of keys.
class LocalCache {
 public:
  /// `torch_compat`: as PyTorch 2.13, lookup() takes every key from the root map.
  explicit LocalCache(bool torch_compat = false);
  ~LocalCache();
  void set_value(const std::vector<std::string>& keys, const nlohmann::ordered_json& value);
  /// Null JSON where it is not there; the whole map for no keys.
  [[nodiscard]] nlohmann::ordered_json lookup(const std::vector<std::string>& keys) const;

 private:
  bool torch_compat_;
  std::unique_ptr<nlohmann::ordered_json> root_;
};

}  // namespace keyhole
