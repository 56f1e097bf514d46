// SPDX-License-Identifier: Apache-2.0
#include "proof.h"

#include <string>

#include "keyhole/key/canonical.h"

namespace keyhole::explain_detail {
namespace {

constexpr std::size_t kDigestText = 51;  // behind the prefix of a key
// What compiler/ and a producer that names itself nothing put into their keys.
constexpr int kCompilerVersions = 9;

std::vector<std::string> producers() {
  std::vector<std::string> out{{}};
  for (int n = 1; n <= kCompilerVersions; ++n) out.push_back("keyhole-cc-" + std::to_string(n));
  return out;
}

std::vector<KeyPart> parts_of(const LookupRow& row) {
  std::vector<KeyPart> out;
  out.reserve(row.record.components.size());
  for (const ComponentPtr c : row.record.components) out.push_back({c->name, c->digest, true});
  return out;
}

/// The subject's parts with every difference undone. Parts that only one side has stand where that side has them.
std::vector<KeyPart> put_back(const LookupRow& baseline, const LookupRow& subject, const std::vector<Change>& changes) {
  const auto changed = [&](std::string_view name) -> const Change* {
    for (const Change& c : changes) {
      if (c.name() == name) return &c;
    }
    return nullptr;
  };
  std::vector<KeyPart> out;
  std::size_t next = 0;
  const auto& before = baseline.record.components;
  const auto take_removed = [&] {
    while (next < before.size()) {
      const Change* c = changed(before[next]->name);
      if (c == nullptr || c->after != nullptr) return;
      out.push_back({before[next]->name, before[next]->digest, true});
      ++next;
    }
  };
  for (const ComponentPtr c : subject.record.components) {
    take_removed();
    const Change* change = changed(c->name);
    if (change != nullptr && change->before == nullptr) continue;
    out.push_back({c->name, change != nullptr ? change->before->digest : c->digest, true});
    if (next < before.size() && before[next]->name == c->name) ++next;
  }
  take_removed();
  return out;
}

}  // namespace

bool proven(const LookupRow& baseline, const LookupRow& subject, const std::vector<Change>& changes) {
  const std::string& key = subject.record.key;
  const std::string& target = baseline.record.key;
  const Layer layer = subject.record.layer;
  if (layer == Layer::fx_graph || layer == Layer::aot_autograd || key.size() <= kDigestText ||
      key.size() != target.size())
    return false;
  const std::string prefix = key.substr(0, key.size() - kDigestText);
  for (const std::string& producer : producers()) {
    const auto own = key_of_parts(prefix, producer, parts_of(subject));
    if (!own || *own != key) continue;
    const auto restored = key_of_parts(prefix, producer, put_back(baseline, subject, changes));
    return restored && *restored == target;
  }
  return false;
}

}  // namespace keyhole::explain_detail
