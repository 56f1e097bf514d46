// SPDX-License-Identifier: Apache-2.0
// make_store STORE LOOKUPS TRACE...: a store of at least that many lookups, made of real recordings that are played
// again with other times, pids, addresses, graphs and configurations. Twenty compiles a run, as a model of some size
// has.
#include <cstdio>
#include <cstdlib>

#include "keyhole/base/os.h"
#include "keyhole/db/recorder.h"
#include "keyhole/ingest/trace.h"
#include "replay.h"

using namespace keyhole;

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: make_store STORE LOOKUPS TRACE...\n");
    return 2;
  }
  const auto wanted = std::strtoll(argv[2], nullptr, 10);
  ComponentPool originals;
  std::vector<std::unique_ptr<test::Replay>> recordings;
  for (int i = 3; i < argc; ++i) {
    recordings.push_back(std::make_unique<test::Replay>());
    const auto read = read_trace(argv[i], {}, originals, *recordings.back());
    if (!read) {
      std::fprintf(stderr, "%s\n", read.error().line().c_str());
      return 1;
    }
  }
  auto recorder = Recorder::open(argv[1]);
  if (!recorder) {
    std::fprintf(stderr, "%s\n", recorder.error().line().c_str());
    return 1;
  }
  const auto began = os().monotonic();
  constexpr int kCompiles = 20;
  std::int64_t lookups = 0;
  for (int n = 1; lookups < wanted; ++n) {
    ComponentPool pool;
    const test::Replay& recording = *recordings[static_cast<std::size_t>(n) % recordings.size()];
    RunRecord run;
    run.name = "run" + std::to_string(n);
    run.argv = {"python", "train.py", "--seed", std::to_string(n % 17)};
    run.cwd = "/home/user/project";
    run.versions_json = R"({"torch":"2.13.0"})";
    run.start = 1'770'000'000'000'000'000 + n * 61'234'567'891LL;
    if (auto id = (*recorder)->begin_run(run); !id) {
      std::fprintf(stderr, "%s\n", id.error().line().c_str());
      return 1;
    }
    for (int c = 0; c < kCompiles; ++c) recording.play(**recorder, n, n % 499, pool, 1 + c + kCompiles * (n % 50), c);
    lookups += static_cast<std::int64_t>(kCompiles) *
               static_cast<std::int64_t>(recording.lookups(Layer::fx_graph) + recording.lookups(Layer::aot_autograd));
  }
  if (auto done = (*recorder)->commit(); !done) {
    std::fprintf(stderr, "%s\n", done.error().line().c_str());
    return 1;
  }
  std::printf("%lld lookups in %.1f s\n", static_cast<long long>(lookups),
              static_cast<double>(os().monotonic() - began) / 1e9);
  return 0;
}
