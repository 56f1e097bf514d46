// SPDX-License-Identifier: Apache-2.0
#include "component_reader.h"

#include "keyhole/key/debug_line.h"

namespace keyhole {
namespace {

constexpr std::size_t kKeptLine = 8 * 1024;           // longer lines (graph code) hardly repeat
constexpr std::size_t kKeptBytes = 32 * 1024 * 1024;  // then the lines are forgotten and learned anew

}  // namespace

const ComponentReader::Known& ComponentReader::recognise(std::string_view raw) {
  const bool keep = raw.size() <= kKeptLine;
  if (keep) {
    const auto found = known_.find(raw);
    if (found != known_.end()) return found->second;
  }
  text_.clear();
  JsonCursor::unescape(raw, text_);
  Known known;
  if (const auto line = parse_debug_line(text_)) {
    known.component = pool_.intern(line->name, line->digest, line->text);
    if (line->name == "fx_kwargs[is_backward]") {
      known.is_backward = line->text == "True";
      known.says_forward = line->text == "False";
    } else if (line->name == "fx_kwargs[is_inference]") {
      known.is_inference = line->text == "True";
    }
  }
  if (!keep) return large_ = known;
  if (known_bytes_ > kKeptBytes) {
    known_.clear();
    known_bytes_ = 0;
  }
  known_bytes_ += raw.size();
  return known_.emplace(std::string(raw), known).first->second;
}

ReadComponents ComponentReader::read(JsonCursor& json) {
  ReadComponents result;
  if (!json.enter_array()) return result;
  result.list.reserve(704);
  bool backward = false, inference = false, forward = false;
  while (json.next_element()) {
    const auto raw = json.raw_string();
    if (!raw) {
      ++result.malformed;
      continue;
    }
    const Known& known = recognise(*raw);
    if (!known.component) {
      ++result.malformed;
      continue;
    }
    result.list.push_back(known.component);
    backward |= known.is_backward;
    inference |= known.is_inference;
    forward |= known.says_forward;
  }
  if (backward)
    result.direction = Direction::backward;
  else if (inference)
    result.direction = Direction::inference;
  else if (forward)
    result.direction = Direction::forward;
  return result;
}

}  // namespace keyhole
