// SPDX-License-Identifier: Apache-2.0
// make_entries STORE ENTRIES: adds entries to a store as folders of the Inductor cache have them: in five locations,
// each with two snapshots between which a part was rewritten, with keys that the store's lookups have where there are
// some. One in ten goes into the store's own cache instead.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"

using namespace keyhole;

namespace {

constexpr int kLocations = 5;

std::uint64_t mixed(std::uint64_t n) {
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ULL;
  return (n ^ (n >> 27)) * 0x94d049bb133111ebULL;
}

std::string word(char first, std::uint64_t n) {
  std::string s(1, first);
  for (int i = 0; i < 51; ++i) s += "abcdefghijklmnopqrstuvwxyz234567"[mixed(n * 64 + std::uint64_t(i)) % 32];
  return s;
}

EntryRecord made(std::uint64_t n, const std::vector<std::string>& keys, int version) {
  EntryRecord e;
  const std::uint64_t r = mixed(n);
  e.layer = r % 5 == 0 ? Layer::aot_autograd : r % 5 < 3 ? Layer::fx_graph : Layer::code;
  const char first = e.layer == Layer::aot_autograd ? 'a' : e.layer == Layer::fx_graph ? 'f' : 'c';
  e.key = n < keys.size() && keys[n][0] == first ? keys[n] : word(first, n);
  e.name = word('n', n + std::uint64_t(version));
  e.path = std::string(e.layer == Layer::code       ? ""
                       : e.layer == Layer::fx_graph ? "fxgraph/"
                                                    : "aotautograd/") +
           e.key.substr(1, 2) + "/" + e.key + "/" + word('x', n);
  e.size = std::int64_t(500 + r % 90'000) + version;
  e.modified = 1'770'000'000'000'000'000 + std::int64_t(r % 10'000'000) * 1'000'000'000;
  e.cost = e.layer == Layer::code ? -1 : std::int64_t(r % 9'000'000'000);
  e.direction = r % 3 == 0 ? Direction::forward : Direction::inference;
  if (r % 4 == 0) e.guard = "2 <= L['s" + std::to_string(r % 3) + "'] and L['s0'] <= " + std::to_string(r % 512);
  if (r % 97 == 0)
    e.state = EntryState::damaged, e.state_reason = "the pickle ends at byte " + std::to_string(r % 5000);
  e.metadata_json = R"({"device_types": ["cpu"], "inductor_post_grad_graph_str": ")" + std::to_string(r % 50) + R"("})";
  return e;
}

int failed(const Error& error) {
  std::fprintf(stderr, "%s\n", error.line().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: make_entries STORE ENTRIES\n");
    return 2;
  }
  const auto wanted = std::strtoull(argv[2], nullptr, 10), cached = wanted / 10;
  const auto began = os().monotonic();
  auto recorder = Recorder::open(argv[1]);
  if (!recorder) return failed(recorder.error());
  std::vector<std::string> keys;
  if (auto reader = Reader::open(argv[1]))
    if (auto rows = reader->lookups_of_run(1, 0, wanted))
      for (const LookupRow& row : *rows)
        if (!row.record.key.empty()) keys.push_back(row.record.key);
  for (int version = 0; version < 2; ++version)
    for (int location = 0; location < kLocations; ++location) {
      SnapshotRecord snapshot;
      snapshot.location = "/home/user/cache/" + std::to_string(location);
      snapshot.read_from = snapshot.location;
      snapshot.time = 1'770'000'000'000'000'000 + version * 3'600'000'000'000;
      const auto id = (*recorder)->begin_snapshot(snapshot);
      const auto own = (wanted - cached) / kLocations;
      for (std::uint64_t i = 0; i < own; ++i) {
        const std::uint64_t n = std::uint64_t(location) * own + i;
        if (version == 1 && i % 50 == 0) continue;  // gone
        (*recorder)->entry(id, made(n, keys, version == 1 && i % 10 == 1 ? 1 : 0));
      }
      if (auto done = (*recorder)->commit(); !done) return failed(done.error());
    }
  auto cache = ArtifactCache::open(argv[1], {.record = false});
  if (!cache) return failed(cache.error());
  for (std::uint64_t i = 0; i < cached; ++i) {
    const std::string key = word('k', i), bytes = "// " + key;
    NewEntry entry;
    entry.layer = Layer::code;
    entry.key = key;
    entry.bytes = bytes;
    if (auto put = (*cache)->put(entry); !put) return failed(put.error());
  }
  std::printf("%llu entries in %.1f s\n", static_cast<unsigned long long>(wanted),
              static_cast<double>(os().monotonic() - began) / 1e9);
  return 0;
}
