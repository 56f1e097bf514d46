// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/source_modules.h"

#include <algorithm>
#include <charconv>

#include "keyhole/base/os.h"
#include "keyhole/cache/source_files.h"

namespace keyhole {

std::vector<StackFrame> parse_frames(std::string_view trace) {
  constexpr std::string_view kFile = "File \"", kLine = "\", line ", kIn = ", in ";
  std::vector<StackFrame> frames;
  for (std::size_t at = 0; (at = trace.find(kFile, at)) != std::string_view::npos;) {
    const auto end = trace.find('\n', at);
    if (end == std::string_view::npos) break;
    auto text = trace.substr(at + kFile.size(), end - at - kFile.size());
    at += kFile.size();
    const auto in = text.rfind(kIn);
    const auto line = text.substr(0, in).rfind(kLine);
    if (in == std::string_view::npos || line == std::string_view::npos) continue;
    StackFrame frame{std::string(text.substr(0, line)), 0, std::string(text.substr(in + kIn.size()))};
    const auto digits = text.substr(line + kLine.size(), in - line - kLine.size());
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), frame.line);
    if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) continue;
    frames.push_back(std::move(frame));
  }
  std::reverse(frames.begin(), frames.end());
  return frames;
}

Result<SourceModules::Written> SourceModules::write(std::string_view source, std::string_view extra) {
  auto written = write_source(root_, {.content = {source, true}, .ext = "py", .extra = extra});
  if (!written) return tl::unexpected(written.error());
  return Written{written->basename, written->path};
}

void SourceModules::add(const std::string& path, const LineMap& lines) {
  const std::scoped_lock lock(mutex_);
  if (std::find(modules_.begin(), modules_.end(), path) == modules_.end()) modules_.push_back(path);
  line_maps_[path] = lines;
  std::erase_if(answers_, [&](const auto& answer) { return answer.first.first == path; });
}

std::optional<bool> SourceModules::edited(const Written& module, std::string_view extra) const {
  const auto bytes = read_file(module.path);
  if (!bytes) return {};
  return code_hash(strip_text(*bytes), extra) != module.key;
}

std::optional<std::vector<StackFrame>> SourceModules::frames(const std::string& path, std::int64_t line) {
  const std::scoped_lock lock(mutex_);
  const auto map = line_maps_.find(path);
  if (map == line_maps_.end() || map->second.empty()) return {};
  auto [answer, fresh] = answers_.try_emplace({path, line});
  if (!fresh) return answer->second;
  const auto& lines = map->second;
  const auto after = std::upper_bound(lines.begin(), lines.end(), line,
                                      [](std::int64_t l, const auto& item) { return l < item.first; });
  if (after != lines.begin() && !std::prev(after)->second.empty())
    answer->second = parse_frames(std::prev(after)->second);
  return answer->second;
}

void SourceModules::clear(bool purge) {
  const std::scoped_lock lock(mutex_);
  if (purge)
    for (const auto& path : modules_) os().unlink(path);
  modules_.clear();
}

}  // namespace keyhole
