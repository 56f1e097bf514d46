// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/records.h"

#include <charconv>
#include <string_view>

namespace keyhole {
namespace {

struct Named {
  std::uint8_t value;
  const char* name;
};
constexpr Named kLayers[] = {{1, "dynamo"}, {2, "aot_autograd"}, {3, "fx_graph"}, {4, "autotune"},
                             {5, "triton"}, {6, "code"},         {7, "cuda"},     {8, "remote"}};
constexpr Named kOutcomes[] = {{1, "hit"}, {2, "miss"}, {3, "guard_miss"}, {4, "bypass"}, {5, "error"}};
constexpr Named kDirections[] = {{0, "unknown"}, {1, "inference"}, {2, "forward"}, {3, "backward"}};
constexpr Named kEntryStates[] = {{1, "ok"}, {2, "damaged"}, {3, "unreadable"}, {4, "vanished"}};
constexpr Named kTextKinds[] = {{1, "dynamo_graph"},       {2, "aot_joint_graph"},     {3, "aot_forward_graph"},
                                {4, "aot_backward_graph"}, {5, "aot_inference_graph"}, {6, "pre_grad_graph"},
                                {7, "post_grad_graph"},    {8, "output_code"},         {9, "dynamo_guards"},
                                {10, "functorch_config"},  {11, "recompile_reasons"},  {12, "traceback"},
                                {13, "inductor_config"},   {14, "dynamo_config"}};

template <std::size_t N>
const char* lookup(const Named (&table)[N], std::uint8_t value) {
  for (const Named& row : table)
    if (row.value == value) return row.name;
  return "?";
}

template <class Enum, std::size_t N>
std::optional<Enum> named(const Named (&table)[N], std::string_view name) {
  for (const Named& row : table)
    if (name == row.name) return static_cast<Enum>(row.value);
  return std::nullopt;
}

}  // namespace

const char* name_of(Layer layer) {
  return lookup(kLayers, static_cast<std::uint8_t>(layer));
}
const char* name_of(Outcome outcome) {
  return lookup(kOutcomes, static_cast<std::uint8_t>(outcome));
}
const char* name_of(Direction direction) {
  return lookup(kDirections, static_cast<std::uint8_t>(direction));
}
const char* name_of(EntryState state) {
  return lookup(kEntryStates, static_cast<std::uint8_t>(state));
}
const char* name_of(TextKind kind) {
  return lookup(kTextKinds, static_cast<std::uint8_t>(kind));
}
std::optional<Layer> layer_named(std::string_view name) {
  return named<Layer>(kLayers, name);
}
std::optional<Outcome> outcome_named(std::string_view name) {
  return named<Outcome>(kOutcomes, name);
}

std::string CompileId::text() const {
  std::string out;
  if (compiled_autograd >= 0) {
    out = "!" + std::to_string(compiled_autograd);
    if (frame >= 0) out += "/";
  }
  if (frame >= 0) out += std::to_string(frame) + "/" + std::to_string(frame_compile);
  return out;
}

std::optional<CompileId> CompileId::parse(std::string_view text) {
  CompileId id;
  const bool autograd = !text.empty() && text.front() == '!';
  if (autograd) text.remove_prefix(1);
  std::int64_t numbers[3];
  int n = 0;
  while (n < 3) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), numbers[n]);
    if (error != std::errc{} || numbers[n] < 0) return std::nullopt;
    ++n;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) break;
    if (text.front() != '/') return std::nullopt;
    text.remove_prefix(1);
  }
  if (!text.empty()) return std::nullopt;
  if (autograd) {
    if (n == 2) return std::nullopt;
    id.compiled_autograd = numbers[0];
    if (n == 3) id.frame = numbers[1], id.frame_compile = numbers[2];
    return id;
  }
  if (n != 2) return std::nullopt;
  id.frame = numbers[0], id.frame_compile = numbers[1];
  return id;
}

}  // namespace keyhole
