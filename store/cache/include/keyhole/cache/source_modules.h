// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/cache/graph_cache.h"

namespace keyhole {

struct StackFrame {
  std::string filename;
  std::int64_t line = 0;
  std::string name;
  friend bool operator==(const StackFrame&, const StackFrame&) = default;
};

/// Generated Python modules as files, and which lines of the user's program each of their lines came from: PyTorch's
/// PyCodeCache, but for the loading, which is the client's. Thread-safe.
class SourceModules {
 public:
  explicit SourceModules(std::string cache_root) : root_(std::move(cache_root)) {}

  struct Written {
    std::string key, path;
  };
  /// Nothing is written where the file is there: the user may have edited it.
  Result<Written> write(std::string_view source, std::string_view extra = {});
  /// Notes a module that was loaded from `path`, with its line map (also an empty one).
  void add(const std::string& path, const LineMap& lines);
  /// Whether the file is no longer what its key says. Absent: there is no such file.
  [[nodiscard]] std::optional<bool> edited(const Written& module, std::string_view extra = {}) const;
  /// The frames behind a line, innermost first. Absent: the path or the line is not mapped; empty: it is, to no frames.
  std::optional<std::vector<StackFrame>> frames(const std::string& path, std::int64_t line);
  /// Forgets the modules; with `purge`, deletes their files. Line maps stay.
  void clear(bool purge = false);

 private:
  std::string root_;
  std::mutex mutex_;
  std::vector<std::string> modules_;
  std::map<std::string, LineMap> line_maps_;
  std::map<std::pair<std::string, std::int64_t>, std::optional<std::vector<StackFrame>>> answers_;
};

/// Every `File "f", line n, in g` that ends a line, last first.
[[nodiscard]] std::vector<StackFrame> parse_frames(std::string_view trace);

}  // namespace keyhole
