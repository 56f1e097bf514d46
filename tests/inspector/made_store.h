// SPDX-License-Identifier: Apache-2.0
// A store of two runs, made through the Recorder: A warms the caches, B turns epilogue_fusion off and misses, then
// hits, is bypassed and fails a guard.
#pragma once

#include <QTemporaryDir>
#include <map>
#include <string>

#include "keyhole/base/pool.h"
#include "keyhole/db/recorder.h"

namespace keyhole::made {

inline Digest digest_of(const std::string& text) {
  Digest d;
  std::uint64_t h = 1469598103934665603ULL;
  for (std::size_t i = 0; i < d.bytes.size(); ++i) {
    for (const char c : text) h = (h ^ std::uint64_t(static_cast<unsigned char>(c))) * 1099511628211ULL;
    d.bytes[i] = std::uint8_t(h >> 56U);
  }
  d.bytes[31] &= 0xfe;
  return d;
}

inline std::string key_of(char prefix, const std::string& text) {
  return prefix + digest_of(text).base32();
}

inline constexpr Nanoseconds kSecond = 1'000'000'000;
inline constexpr Nanoseconds kMorning = 1'795'251'600 * kSecond;  // 2026-11-21

class Store {
 public:
  Store() {
    auto recorder = Recorder::open(path());
    Q_ASSERT(recorder);
    recorder_ = std::move(*recorder);
  }
  [[nodiscard]] std::string path() const { return folder_.path().toStdString() + "/store"; }
  [[nodiscard]] QString qpath() const { return folder_.path() + QStringLiteral("/store"); }
  Recorder& recorder() { return *recorder_; }

  RecordSink::ProcessId begin(const std::string& run, Nanoseconds start, std::optional<int> rank = {}) {
    RunRecord r;
    r.name = run;
    r.argv = {"python", "train.py"};
    r.start = start;
    recorder_->begin_run(r).value();
    ProcessRecord p;
    p.identity = run + std::to_string(rank.value_or(0));
    p.pid = 100;
    p.rank = rank;
    p.start = start;
    p.cache_dir = "/cache";
    return recorder_->process(p);
  }

  void lookup(RecordSink::ProcessId process, Layer layer, const std::string& compile, const std::string& key,
              Outcome outcome, Nanoseconds time, Nanoseconds cost, bool epilogue_fusion = true,
              const std::string& reason = {}) {
    LookupRecord r;
    r.layer = layer;
    r.compile = CompileId::parse(compile).value_or(CompileId{});
    r.key = key;
    r.ordinal = ordinals_[std::to_string(process) + name_of(layer) + key]++;
    r.outcome = outcome;
    r.time = time;
    r.reason = reason;
    r.status = outcome == Outcome::hit ? "hit" : outcome == Outcome::guard_miss ? "guard_miss" : "full_miss";
    if (outcome == Outcome::hit)
      r.saved = cost;
    else
      r.cost = cost;
    r.duration = 2'000'000;
    if (layer == Layer::fx_graph && !key.empty()) {
      const auto add = [&](const std::string& name, const std::string& text) {
        r.components.push_back(pool_.intern(name, digest_of(name + text), text));
      };
      add("gm", "GraphModule(): def forward(self, arg0_1):\n    mul = arg0_1 * 2\n    return (mul,)\n# " + compile);
      add("example_inputs[0]", "TensorMetadata(dtype=torch.float32, shape=torch.Size([8, 16]))");
      add("inductor_config[epilogue_fusion]", epilogue_fusion ? "True" : "False");
      for (int i = 0; i < 20; ++i) add("inductor_config[option_" + std::to_string(i) + "]", "False");
    }
    CompileRecord c;
    c.id = r.compile;
    c.function = "forward";
    c.filename = "/home/user/train.py";
    c.line = 12;
    if (c.id.known()) recorder_->compile(process, c);
    recorder_->lookup(process, r);
  }

  void commit() {
    if (auto done = recorder_->commit(); !done) qFatal("%s", done.error().line().c_str());
  }

  /// Runs A and B.
  void fill() {
    auto a = begin("A", kMorning);
    lookup(a, Layer::aot_autograd, "0/0", key_of('a', "0 on"), Outcome::miss, kMorning + 1 * kSecond, 4'700'000'000);
    lookup(a, Layer::fx_graph, "0/0", key_of('f', "0 on"), Outcome::miss, kMorning + 2 * kSecond, 3'100'000'000);
    lookup(a, Layer::fx_graph, "1/0", key_of('f', "1 on"), Outcome::miss, kMorning + 6 * kSecond, 1'200'000'000);
    auto b = begin("B", kMorning + 3000 * kSecond);
    lookup(b, Layer::aot_autograd, "0/0", key_of('a', "0 off"), Outcome::miss, kMorning + 3001 * kSecond, 4'600'000'000,
           false);
    lookup(b, Layer::fx_graph, "0/0", key_of('f', "0 off"), Outcome::miss, kMorning + 3002 * kSecond, 3'000'000'000,
           false);
    lookup(b, Layer::fx_graph, "1/0", key_of('f', "1 on"), Outcome::hit, kMorning + 3006 * kSecond, 1'200'000'000);
    lookup(b, Layer::fx_graph, "2/0", "", Outcome::bypass, kMorning + 3007 * kSecond, -1, true,
           "custom op without a fake kernel");
    lookup(b, Layer::fx_graph, "1/1", key_of('f', "1 on"), Outcome::guard_miss, kMorning + 3008 * kSecond, 900'000'000);
    commit();
  }

 private:
  QTemporaryDir folder_;
  ComponentPool pool_;
  std::map<std::string, std::int64_t> ordinals_;
  std::unique_ptr<Recorder> recorder_;
};

}  // namespace keyhole::made
