// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/autograd_cache.h"

#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/artifacts.h"
#include "keyhole/cache/counters.h"
#include "wire.h"

namespace keyhole {
namespace {

constexpr std::string_view kAutogradMagic =
    "KHA1";  // grammar: the members of AutogradEntry in their order, as wire.h writes them
constexpr const char* kAutogradCounters = "aot_autograd";

}  // namespace

std::string AutogradEntry::encode() const {
  wire::Writer out;
  out.raw(kAutogradMagic);
  for (const auto* text : {&forward_key, &backward_key, &wrapper, &guards}) out.text(*text);
  out.integer(time_taken);
  return out.take();
}

Result<AutogradEntry> AutogradEntry::decode(std::string_view bytes) {
  if (!bytes.starts_with(kAutogradMagic))
    return fail(ErrorKind::bad_input, "not an autograd entry that this library stored");
  wire::Reader in(bytes.substr(kAutogradMagic.size()));
  AutogradEntry entry;
  for (auto* text : {&entry.forward_key, &entry.backward_key, &entry.wrapper, &entry.guards}) *text = in.text();
  entry.time_taken = in.integer();
  if (!in.ok()) return fail(ErrorKind::bad_input, "the stored autograd entry ends early");
  return entry;
}

std::optional<AutogradCache::Found> AutogradCache::lookup(const GraphRequest& request) {
  const auto found = store_.get({.layer = Layer::aot_autograd,
                                 .key = request.key,
                                 .hints = request.hints,
                                 .components = request.components,
                                 .compile = request.compile});
  auto entry =
      found.hit() ? AutogradEntry::decode(found.entry.bytes) : Result<AutogradEntry>(fail(ErrorKind::not_found, ""));
  if (found.status == std::string_view("guard_miss")) counters().add(kAutogradCounters, "autograd_cache_guard_miss");
  if (!entry) {
    counters().add(kAutogradCounters, "autograd_cache_miss");
    return {};
  }
  Found result{std::move(*entry), {}};
  for (const auto* key : {&result.entry.forward_key, &result.entry.backward_key}) {
    if (key->empty()) continue;
    auto graph = graphs_.lookup(
        {.key = *key, .hints = request.hints, .compile = request.compile, .extern_key = request.extern_key});
    if (!graph.entry) {
      counters().add(kAutogradCounters, "autograd_cache_miss");
      return {};
    }
    result.graphs.push_back(std::move(*graph.entry));
  }
  if (artifacts_ != nullptr) static_cast<void>(artifacts_->record("aot_autograd", request.key, found.entry.bytes));
  counters().add(kAutogradCounters, "autograd_cache_hit");
  return result;
}

bool AutogradCache::save(const GraphRequest& request, const AutogradEntry& entry) {
  const std::string bytes = entry.encode();
  if (artifacts_ != nullptr) static_cast<void>(artifacts_->record("aot_autograd", request.key, bytes));
  const auto stored = store_.put({.layer = Layer::aot_autograd,
                                  .key = request.key,
                                  .guard = entry.guards,
                                  .bytes = bytes,
                                  .components = request.components,
                                  .cost = entry.time_taken});
  if (stored) counters().add(kAutogradCounters, "autograd_cache_saved");
  return stored.has_value();
}

void AutogradCache::bypass(const std::string& reason, const CompileId& compile) {
  counters().add(kAutogradCounters, "autograd_cache_bypass");
  LookupRecord record;
  record.layer = Layer::aot_autograd;
  record.outcome = Outcome::bypass;
  record.reason = reason;
  record.compile = compile;
  store_.note(record);
}

Result<void> AutogradCache::populate(const std::string& key, std::string_view content) {
  const auto entry = AutogradEntry::decode(content);
  auto stored = store_.put({.layer = Layer::aot_autograd,
                            .key = key,
                            .guard = entry ? std::string_view(entry->guards) : std::string_view(),
                            .bytes = content});
  if (!stored) return tl::unexpected(stored.error());
  return {};
}

}  // namespace keyhole
