// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/debug_line.h"

#include <charconv>

namespace keyhole {
namespace {

constexpr std::size_t kDigestChars = 51;
constexpr std::size_t kHeadChars = 1 + kDigestChars + 2;  // "[digest] "

bool is_identifier_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_identifier(char c) {
  return is_identifier_start(c) || (c >= '0' && c <= '9');
}

// Length of "attr" or "attr[index]" at the start of `rest`; 0: no name followed by a colon stands there.
std::size_t name_length(std::string_view rest) {
  if (rest.empty() || !is_identifier_start(rest[0])) return 0;
  std::size_t n = 1;
  while (n < rest.size() && is_identifier(rest[n])) ++n;
  const auto ends_at = [&](std::size_t colon) {
    return colon < rest.size() && rest[colon] == ':' &&
           (colon + 1 == rest.size() || rest[colon + 1] == ' ' || rest[colon + 1] == '\n');
  };
  if (n < rest.size() && rest[n] == '[') {
    for (std::size_t i = n + 1; i < rest.size() && rest[i] != '\n'; ++i)
      if (rest[i] == ']' && ends_at(i + 1)) return i + 1;
    return 0;
  }
  return ends_at(n) ? n : 0;
}

// The head of a line that starts at the beginning of `line`: name and digest; the text is what follows.
bool parse_head(std::string_view line, DebugLine& out) {
  if (line.size() <= kHeadChars || line[0] != '[' || line[1 + kDigestChars] != ']' || line[2 + kDigestChars] != ' ')
    return false;
  const std::string_view rest = line.substr(kHeadChars);
  const std::size_t n = name_length(rest);
  if (n == 0 || !Digest::parse_base32(line.substr(1, kDigestChars), out.digest)) return false;
  out.name = rest.substr(0, n);
  out.text = rest.substr(n + 1);
  if (out.text.starts_with(' ')) out.text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<DebugLine> parse_debug_line(std::string_view line) {
  DebugLine out;
  if (!parse_head(line, out)) return std::nullopt;
  return out;
}

std::vector<DebugLine> split_debug_lines(std::string_view block) {
  if (block.ends_with('\n')) block.remove_suffix(1);
  std::vector<DebugLine> lines;
  DebugLine next;
  for (std::size_t at = 0; at < block.size();) {
    if (block[at] == '[' && parse_head(block.substr(at), next)) {
      if (!lines.empty()) {  // the one before ends where this one begins, without the newline between them
        std::string_view& text = lines.back().text;
        const auto used = static_cast<std::size_t>(text.data() - block.data());
        text = block.substr(used, at > used ? at - 1 - used : 0);
      }
      lines.push_back(next);
      at = static_cast<std::size_t>(next.text.data() - block.data());
    }
    const std::size_t newline = block.find('\n', at);
    if (newline == std::string_view::npos) break;
    at = newline + 1;
  }
  return lines;
}

ComponentName split_component_name(std::string_view name) {
  const std::size_t bracket = name.find('[');
  if (bracket == std::string_view::npos || !name.ends_with(']')) return {name, {}, false};
  return {name.substr(0, bracket), name.substr(bracket + 1, name.size() - bracket - 2), true};
}

std::int64_t ComponentName::position() const {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), value);
  return error == std::errc{} && end == index.data() + index.size() && !index.empty() && value >= 0 ? value : -1;
}

ComponentGroup group_of(std::string_view component_name) {
  const std::string_view attr = split_component_name(component_name).attr;
  for (const auto group : {ComponentGroup::inductor_config, ComponentGroup::inductor_config_comms,
                           ComponentGroup::fx_kwargs, ComponentGroup::example_inputs})
    if (attr == name_of(group)) return group;
  return ComponentGroup::rest;
}

const char* name_of(ComponentGroup group) {
  switch (group) {
    case ComponentGroup::rest:
      return "rest";
    case ComponentGroup::inductor_config:
      return "inductor_config";
    case ComponentGroup::inductor_config_comms:
      return "inductor_config_comms";
    case ComponentGroup::fx_kwargs:
      return "fx_kwargs";
    case ComponentGroup::example_inputs:
      return "example_inputs";
  }
  return "rest";
}

}  // namespace keyhole
