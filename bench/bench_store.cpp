// SPDX-License-Identifier: Apache-2.0
// bench_store STORE: what one question costs in a store, the opening included.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>

#include "keyhole/base/os.h"
#include "keyhole/db/reader.h"

using namespace keyhole;

namespace {

void measure(const char* what, const std::function<std::size_t()>& call) {
  std::vector<double> times;
  const std::clock_t cpu = std::clock();
  std::size_t rows = 0;
  for (int i = 0; i < 15; ++i) {
    const auto began = os().monotonic();
    rows = call();
    times.push_back(static_cast<double>(os().monotonic() - began) / 1e6);
  }
  std::printf("%-44s first %8.2f ms   median ", what, times.front());
  std::sort(times.begin(), times.end());
  std::printf("%8.2f ms   CPU %8.2f ms   %zu rows\n", times[times.size() / 2],
              static_cast<double>(std::clock() - cpu) * 1000 / CLOCKS_PER_SEC / static_cast<double>(times.size()),
              rows);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_store STORE\n");
    return 2;
  }
  const std::string store = argv[1];
  const auto open = [&] {
    auto r = Reader::open(store);
    if (!r) {
      std::fprintf(stderr, "%s\n", r.error().line().c_str());
      std::exit(1);
    }
    return std::move(*r);
  };
  measure("open, last run", [&] { return open().last_run()->has_value() ? std::size_t{1} : 0; });
  Reader reader = open();
  const auto last = *reader.last_run();
  const auto lookups = *reader.lookups_of_run(last->id);
  const LookupRow subject = lookups.back();
  std::printf("subject: lookup %lld, %s\n", static_cast<long long>(subject.id), name_of(subject.record.layer));
  measure("lookups of the last run", [&] { return open().lookups_of_run(last->id)->size(); });
  measure("baseline candidates, 20 each", [&] { return open().baseline_candidates(subject, 20)->size(); });
  measure("baseline candidates with components", [&] {
    Reader r = open();
    ComponentPool pool;
    std::size_t n = 0;
    const auto candidates = *r.baseline_candidates(subject, 20);
    for (const auto& c : candidates) n += r.components(c.component_set, pool)->size();
    return n;
  });
  measure("differences to the candidates", [&] {
    Reader r = open();
    ComponentPool pool;
    std::size_t n = 0;
    const auto candidates = *r.baseline_candidates(subject, 20);
    for (const auto& c : candidates) n += r.difference(c.component_set, subject.component_set, pool)->size();
    return n;
  });
  measure("by key prefix", [&] { return open().lookups_with_key_prefix(subject.record.key.substr(0, 8), 20)->size(); });
  measure("by key",
          [&] { return open().lookups_with_key(subject.record.layer, subject.record.key, subject.id, 20)->size(); });
  measure("texts of the compile", [&] { return open().texts(subject.process, subject.record.compile)->size(); });
  measure("entries of the key",
          [&] { return open().entries_with_key(subject.record.layer, subject.record.key)->size(); });
  measure("snapshots", [&] { return open().snapshots()->size(); });
  measure("all runs", [&] { return open().runs()->size(); });
  return 0;
}
