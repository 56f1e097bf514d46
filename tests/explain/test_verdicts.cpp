// SPDX-License-Identifier: Apache-2.0
// Each verdict with the evidence that carries it, and with that evidence taken away.
#include <QtTest>

#include "cases.h"

using namespace keyhole;
using namespace keyhole::testing;

namespace {

const std::string kInput = tensor("[8, 16]", "(16, 1)");
Parts mlp(const Parts& with = {}) {
  return usual(graph(2, kMlp), {kInput, kInput}, with);
}

/// A key that missed in run A and misses again in run B.
struct Again {
  World w;
  LookupRow before = w.lookup("A", mlp());
  LookupRow now = w.lookup("B", mlp());
  Case c;
  Again() {
    c.subject = now;
    c.same_key = {before};
    c.compile = {now};
  }
  void look(EntryState state, Nanoseconds time, RowId id = 1, const std::string& location = "/cache") {
    SeenEntry e;
    e.entry.id = 10 + id;
    e.entry.snapshot = id;
    e.entry.record.key = c.subject.record.key;
    e.entry.record.state = state;
    e.entry.record.modified = time;
    e.snapshot = snapshot(time, id, location);
    c.entries.push_back(e);
    c.snapshots.push_back(e.snapshot);
  }
  SnapshotRow snapshot(Nanoseconds time, RowId id, const std::string& location = "/cache") const {
    SnapshotRow s;
    s.id = id;
    s.record.location = location;
    s.record.time = time;
    return s;
  }
  [[nodiscard]] Nanoseconds between() const { return before.record.time + 10'000'000'000; }
  [[nodiscard]] Verdict verdict() const { return explain(c).verdict; }
};

}  // namespace

class TestVerdicts : public QObject {
  Q_OBJECT
 private slots:
  void a_recompile_names_guard_line_and_compile() {
    Case c;
    World w;
    c.subject = w.lookup("B", {}, {}, Layer::dynamo);
    c.subject.record.reason =
        "0/0: k == 8  # def f(x,k): return x*k+1  # src/train.py:16 in f User stack trace: File \"/src/train.py\", "
        "line "
        "16, in f";
    QCOMPARE(explain(c).summary,
             std::string(
                 "recompiled: the guard `k == 8` of compile 0/0 failed: def f(x,k): return x*k+1 (train.py:16 in f)"));
    c.subject.record.reason = "0/0: tensor 'x' size mismatch at index 0. expected 5, actual 9";
    QCOMPARE(explain(c).summary, "recompiled: " + c.subject.record.reason);
  }
  void the_fix_of_a_recompile_follows_its_guard_data() {
    QTest::addColumn<QString>("reason");
    QTest::addColumn<QString>("fix");
    const auto row = [](const char* name, const char* reason, const char* fix) {
      QTest::newRow(name) << QString(reason) << QString(fix);
    };
    row("size", "0/0: tensor 'x' size mismatch at index 0. expected 8, actual 9", "mark the size dynamic");
    row("gradient", "0/0: tensor 'x' requires_grad mismatch. expected requires_grad=0", "same requires_grad");
    row("number", "0/0: k == 8  # def f(x,k): return x*k  # src/train.py:16 in f", "pass the value as a tensor");
    row("text", "0/0: s.act == 'gelu'  # def forward(s,x)  # src/m.py:9 in forward", "compiled by itself");
    row("branch", "0/1: 2 <= x.size()[0] <= 100  # if x.shape[0]>100: return x*2  # src/m.py:17 in f",
        "take the branch");
  }
  void the_fix_of_a_recompile_follows_its_guard() {
    QFETCH(QString, reason);
    QFETCH(QString, fix);
    Case c;
    World w;
    c.subject = w.lookup("B", {}, {}, Layer::dynamo);
    c.subject.record.reason = reason.toStdString() + "\n0/0: tensor 'x' size mismatch at index 0. expected 8, actual 9";
    QVERIFY2(explain(c).fix.find(fix.toStdString()) != std::string::npos, explain(c).fix.c_str());
  }
  void beyond_the_limit_nothing_is_compiled() {
    Case c;
    World w;
    c.subject = w.lookup("B", {}, {}, Layer::dynamo);
    c.subject.record.reason = "0/2: k == 2  # def f(x,k): return x*k  # src/train.py:16 in f";
    c.compile_row = CompileRow{};
    c.compile_row->record.fail_reason =
        "Unsupported: Dynamo recompile limit exceeded\n Developer debug context: Limit type: recompile_limit";
    const Explanation e = explain(c);
    QVERIFY2(e.summary.find("not compiled any more, recompile_limit is reached") == 0, e.summary.c_str());
    QVERIFY2(e.fix.find("recompile_limit") != std::string::npos, e.fix.c_str());
  }
  /// A bundled AOTAutograd entry has no graph lookup beside it: the configuration of both compiles still tells.
  void without_components_and_inner_lookups_the_recorded_texts_tell() {
    World w;
    const LookupRow before = w.lookup("A", {}, {}, Layer::aot_autograd);
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.compile = {c.subject};
    c.same_compile_before = [=] { return std::optional(before); };
    const RowId id = c.subject.id;
    c.texts = [=](const LookupRow& row, TextKind kind) {
      std::vector<TextRecord> out;
      if (kind == TextKind::functorch_config)
        out.push_back({{},
                       kind,
                       "",
                       std::string("{\n\"cse\": true,\n\"bundled_autograd_cache\": ") +
                           (row.id == id ? "true" : "false") + "\n}"});
      return out;
    };
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::components_not_recorded);
    QVERIFY2(e.summary.find("bundled_autograd_cache=false` → `bundled_autograd_cache=true") != std::string::npos,
             e.summary.c_str());
    QCOMPARE(e.baseline->run_name, std::string("A"));
    c.same_compile_before = nullptr;
    c.compile_row = CompileRow{};
    c.compile_row->record.fail_reason = "InductorError: RuntimeError: pass blew up";
    QVERIFY(explain(c).summary.find("its compile failed: InductorError: RuntimeError: pass blew up") !=
            std::string::npos);
  }
  void what_ran_with_the_cache_off_left_nothing_to_compare_with() {
    World w;
    Case c;
    c.subject = w.lookup("B", usual(graph(2, kMlp), {tensor("[8, 16]", "(16, 1)")}));
    LookupRow off = w.lookup("A", {});
    off.record.cache_off = true;
    off.record.reason = "torch._inductor.config.fx_graph_cache is False";
    c.compiled_without_cache = [off] { return std::optional(off); };
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::never_seen);
    QVERIFY2(e.summary.find("run A compiled it with the cache switched off") == 0, e.summary.c_str());
  }
  void the_switch_of_autograds_cache_is_named() {
    Case c;
    World w;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.subject.record.outcome = Outcome::bypass;
    c.subject.record.cache_off = true;
    c.subject.record.reason = "torch._functorch.config.enable_autograd_cache is False";
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::cache_off);
    QVERIFY2(e.fix.find("TORCHINDUCTOR_AUTOGRAD_CACHE=1") != std::string::npos, e.fix.c_str());
  }
  void a_hit_costs_nothing() {
    World w;
    Case c;
    c.subject = w.lookup("A", mlp());
    c.subject.record.outcome = Outcome::hit;
    c.subject.record.saved = 3'100'000'000;
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::hit);
    QCOMPARE(e.cost_seconds, 0.0);
    QVERIFY2(e.summary.find("3.1 s") != std::string::npos, e.summary.c_str());
  }
  void nothing_on_record_is_never_seen() {
    World w;
    Case c;
    c.subject = w.lookup("A", mlp());
    QCOMPARE(explain(c).verdict, Verdict::never_seen);
  }
  void equal_components_under_another_key() {
    World w;
    Case c = pair(w.lookup("A", mlp()), w.lookup("B", mlp()));
    c.subject.record.key = "fother";
    QCOMPARE(explain(c).verdict, Verdict::identity_only);
  }
  void a_bypass_gives_its_reason_without_addresses() {
    Case c;
    c.subject.record.outcome = Outcome::bypass;
    c.subject.record.reason =
        "Unsupported call_function target <function helper at 0x7f322a90f2e0>. \n Function module: work";
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::bypass);
    QVERIFY2(e.summary.find("0x7f") == std::string::npos && e.summary.find('\n') == std::string::npos,
             e.summary.c_str());
    QVERIFY(e.summary.find("<function helper>") != std::string::npos);
    QVERIFY(e.fix.find("custom_op") != std::string::npos);
  }
  void a_bypass_because_the_cache_is_off() {
    Case c;
    c.subject.record.outcome = Outcome::bypass;
    c.subject.record.reason = "FX graph cache is not enabled";
    QCOMPARE(explain(c).verdict, Verdict::cache_off);
    c.subject.record.reason = "Can't cache HigherOrderOperator: cond";
    QCOMPARE(explain(c).verdict, Verdict::bypass);
    c.subject.record.cache_off = true;
    c.subject.record.reason = "torch.compiler.config.force_disable_caches is True";
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::cache_off);
    QVERIFY(e.fix.find("TORCHINDUCTOR_FORCE_DISABLE_CACHES") != std::string::npos);
  }
  void a_recompile_names_the_guard() {
    Case c;
    c.subject.record.layer = Layer::dynamo;
    c.subject.record.reason = "0/0: tensor 'x' size mismatch at index 0. expected 8, actual 16";
    QCOMPARE(explain(c).verdict, Verdict::recompile);
    QVERIFY(explain(c).summary.find("expected 8, actual 16") != std::string::npos);
    c.subject.record.reason.clear();
    QCOMPARE(explain(c).verdict, Verdict::never_seen);
  }

  void without_a_look_at_the_folder_it_is_unknown() {
    Again a;
    const Explanation e = explain(a.c);
    QCOMPARE(e.verdict, Verdict::unknown);
    QVERIFY(e.fix.find("keyhole record") != std::string::npos);
    QCOMPARE(e.baseline->run_name, std::string("A"));
  }
  void evicted_where_the_entry_was_seen() {
    Again a;
    a.look(EntryState::ok, a.between());
    QCOMPARE(a.verdict(), Verdict::evicted);
  }
  void evicted_where_the_folder_lacks_what_was_compiled() {
    Again a;
    a.c.snapshots = {a.snapshot(a.between(), 1)};
    QCOMPARE(a.verdict(), Verdict::evicted);
  }
  void evicted_where_it_was_served_since() {
    Again a;
    LookupRow hit = a.before;
    hit.record.outcome = Outcome::hit;
    a.c.same_key.insert(a.c.same_key.begin(), hit);
    QCOMPARE(a.verdict(), Verdict::evicted);
  }
  void a_look_after_the_lookup_tells_nothing_of_before() {
    Again a;
    a.look(EntryState::ok, a.now.record.time + 5'000'000'000);  // what the miss itself wrote
    QCOMPARE(a.verdict(), Verdict::unknown);
  }
  void a_copy_with_new_times_is_placed_by_the_order_of_import() {
    Again a;
    a.look(EntryState::ok, a.now.record.time + 3600'000'000'000);
    a.c.entries[0].snapshot.newest_run = a.c.snapshots[0].newest_run = a.before.run;
    QCOMPARE(a.verdict(), Verdict::evicted);
    a.c.entries[0].snapshot.newest_run = a.c.snapshots[0].newest_run = a.now.run;
    QCOMPARE(a.verdict(), Verdict::unknown);
  }
  void a_snapshot_that_was_taken_after_the_run_is_none_before_it() {
    Again a;
    a.look(EntryState::ok, a.between());
    a.c.entries[0].snapshot.run = a.c.snapshots[0].run = a.now.run;
    a.c.entries[0].snapshot.record.moment = a.c.snapshots[0].record.moment = SnapshotMoment::after;
    QCOMPARE(a.verdict(), Verdict::unknown);
    a.c.entries[0].snapshot.record.moment = a.c.snapshots[0].record.moment = SnapshotMoment::before;
    QCOMPARE(a.verdict(), Verdict::evicted);
  }
  void damaged_entries_are_unreadable() {
    for (const EntryState state : {EntryState::damaged, EntryState::unreadable}) {
      Again a;
      a.look(state, a.between());
      QCOMPARE(a.verdict(), Verdict::entry_unreadable);
    }
  }
  void what_the_log_says_of_the_read_decides() {
    Again a;
    a.look(EntryState::ok, a.between());
    a.c.subject.record.load_error = "EOFError: Ran out of input";
    QCOMPARE(a.verdict(), Verdict::entry_unreadable);
    a.c.subject.record.load_error = "PermissionError: [Errno 13] Permission denied: '/cache/fxgraph'";
    QCOMPARE(a.verdict(), Verdict::io_error);
  }
  void never_saved_where_the_write_failed() {
    Again a;
    a.c.snapshots = {a.snapshot(a.between(), 1)};
    a.c.same_key[0].record.save_error = "NotADirectoryError: [Errno 20] Not a directory";
    QCOMPARE(a.verdict(), Verdict::never_saved);
    QVERIFY(explain(a.c).summary.find("NotADirectoryError") != std::string::npos);
    LookupRow hit = a.before;
    hit.record.outcome = Outcome::hit;  // a later run stored it
    a.c.same_key.insert(a.c.same_key.begin(), hit);
    QCOMPARE(a.verdict(), Verdict::evicted);
  }
  void never_saved_on_a_full_disk_asks_for_space() {
    World w;
    LookupRow before = w.lookup("A", mlp());
    before.record.save_error = "OSError: [Errno 28] No space left on device";
    Case c = pair(before, w.lookup("B", mlp()));
    c.same_key = {before};
    QCOMPARE(explain(c).verdict, Verdict::never_saved);
    QVERIFY2(explain(c).fix.find("free space") == 0, explain(c).fix.c_str());
  }
  void never_saved_where_the_run_left_nothing() {
    Again a;
    SnapshotRow after = a.snapshot(a.between(), 1);
    after.run = a.before.run;
    after.record.moment = SnapshotMoment::after;
    a.c.snapshots = {after};
    QCOMPARE(a.verdict(), Verdict::never_saved);
  }
  void never_saved_where_no_backward_ran() {
    Again a;
    a.c.subject.record.layer = a.c.same_key[0].record.layer = Layer::aot_autograd;
    LookupRow forward = a.before;
    forward.record.layer = Layer::fx_graph;
    forward.record.direction = Direction::forward;
    LookupRow backward = forward;
    backward.record.direction = Direction::backward;
    a.c.compile_of = [=](const LookupRow&) { return std::vector<LookupRow>{forward}; };
    QCOMPARE(a.verdict(), Verdict::never_saved);
    a.c.compile_of = [=](const LookupRow&) { return std::vector<LookupRow>{forward, backward}; };
    QCOMPARE(a.verdict(), Verdict::unknown);
  }
  void known_from_another_folder_only() {
    Again a;
    a.c.same_key[0].cache_dir = "/other";
    const Explanation e = explain(a.c);
    QCOMPARE(e.verdict, Verdict::other_location);
    QVERIFY(e.summary.find("/other") != std::string::npos && e.summary.find("/cache") != std::string::npos);
    LookupRow here = a.before;
    here.id += 100;
    a.c.same_key.push_back(here);  // an older one, here
    QCOMPARE(a.verdict(), Verdict::unknown);
  }
  void two_at_once_race() {
    Again a;
    a.c.same_key[0].record.time = a.now.record.time - 1'000'000'000;
    QCOMPARE(a.verdict(), Verdict::race);
    a.c.same_key[0].record.time = a.now.record.time - 3'000'000'000;  // it was done by then
    QCOMPARE(a.verdict(), Verdict::unknown);
    a.c.same_key[0].record.time = a.now.record.time - 1'000'000'000;
    a.c.same_key[0].process = a.c.subject.process;
    a.c.same_key[0].record.compile.frame = 3;
    QVERIFY(a.verdict() != Verdict::race);
  }
  /// It was told as evicted: the folder, looked at since, did not hold it.
  void never_saved_where_the_compile_failed() {
    Again a;
    a.c.snapshots = {a.snapshot(a.between(), 1, "/cache")};
    QCOMPARE(a.verdict(), Verdict::evicted);
    a.c.failure = [](const LookupRow&) { return std::string("InductorError: RuntimeError: boom at 0x7f322a90f2e0"); };
    const Explanation e = explain(a.c);
    QCOMPARE(e.verdict, Verdict::never_saved);
    QVERIFY2(e.summary.find("whose compile failed: InductorError: RuntimeError: boom") != std::string::npos,
             e.summary.c_str());
    a.c.same_key[0].record.outcome = Outcome::hit;  // served since: it was stored after all
    QCOMPARE(a.verdict(), Verdict::evicted);
  }
  /// AOTAutograd missed, and a moment later its inner graph was there: another rank had just written it.
  void what_another_rank_compiled_a_moment_before() {
    World w;
    LookupRow beside = w.lookup("B", mlp());
    LookupRow inner = w.lookup("B", mlp());
    inner.record.outcome = Outcome::hit;
    inner.process = 77;
    beside.rank = 1;
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.subject.process = 77;
    c.compile = {c.subject, inner};
    Case within;
    within.subject = inner;
    within.same_key = {beside};
    c.inner = {within};
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::components_not_recorded);
    QVERIFY2(e.summary.find("rank 1 of the same run had compiled a moment before") != std::string::npos,
             e.summary.c_str());
  }
  /// Two ranks that start together with another shape: a race by the clock, and the shape is why neither hit.
  void of_a_race_the_common_cause_is_told() {
    World w;
    const LookupRow warm = w.lookup("A", mlp());
    const LookupRow first = w.lookup("B", mlp({{"inductor_config[max_autotune]", "True"}}));
    LookupRow second = w.lookup("B", mlp({{"inductor_config[max_autotune]", "True"}}));
    second.process = 77;
    second.record.time = first.record.time + 1'000'000;
    Case c = pair(warm, second);
    c.same_key = {first};
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::race);
    QVERIFY2(e.summary.find("both differ from run A: inductor_config[max_autotune] False → True") != std::string::npos,
             e.summary.c_str());
    QCOMPARE(roots(e), std::vector<std::string>{"inductor_config[max_autotune]"});
    c.candidates.clear();
    QVERIFY(explain(c).causes.empty());
  }
  void an_autograd_entry_that_lost_its_graph() {
    Again a;
    a.c.subject.record.layer = Layer::aot_autograd;
    a.c.subject.record.status = "hit";
    LookupRow lost = a.now;
    lost.id += 50;
    lost.record.direction = Direction::backward;
    a.c.compile = {lost, a.c.subject};
    const Explanation e = explain(a.c);
    QCOMPARE(e.verdict, Verdict::dependent_missing);
    QVERIFY2(e.summary.find("backward") != std::string::npos, e.summary.c_str());
    a.c.subject.record.status = "full_miss";
    QVERIFY(a.verdict() != Verdict::dependent_missing);
  }
  void the_first_try_of_the_same_compile_is_no_history() {
    Again a;
    a.c.same_key[0] = a.now;
    a.c.same_key[0].id -= 1;
    QCOMPARE(a.verdict(), Verdict::never_seen);
  }
  void an_error_is_one() {
    Again a;
    a.c.subject.record.outcome = Outcome::error;
    a.c.subject.record.reason = "lock timeout";
    QCOMPARE(a.verdict(), Verdict::io_error);
  }
  void an_autotune_result_that_is_missing() {
    Case c;
    c.subject.record.layer = Layer::autotune;
    c.subject.record.key = "triton_poi_fused_0";
    LookupRow graph_hit;
    graph_hit.id = 7;
    graph_hit.record.outcome = Outcome::hit;
    c.compile = {graph_hit};
    QCOMPARE(explain(c).verdict, Verdict::autotune_miss);
  }

  void an_outer_lookup_without_components_is_explained_by_the_inner_one() {
    World w;
    const LookupRow before = w.lookup("A", mlp());
    const LookupRow inner = w.lookup("B", mlp({{"inductor_config[max_autotune]", "True"}}));
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.subject.record.cost = 3'000'000'000;
    c.compile = {c.subject, inner};
    c.inner = {pair(before, inner)};
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::components_not_recorded);
    QVERIFY2(e.summary.find("max_autotune") != std::string::npos, e.summary.c_str());
    QCOMPARE(roots(e), std::vector<std::string>{"inductor_config[max_autotune]"});
    QCOMPARE(e.cost_seconds, 1.0);  // of 3 s, 2 s are the inner lookup's
    QCOMPARE(e.chain.size(), std::size_t{1});
    c.inner[0].candidates.clear();
    QCOMPARE(explain(c).verdict, Verdict::never_seen);
    c.inner.clear();
    const Explanation alone = explain(c);
    QCOMPARE(alone.verdict, Verdict::components_not_recorded);
    QVERIFY(alone.fix.find("TORCH_LOGS") != std::string::npos);
  }
  void where_the_inner_one_was_served_the_program_tells() {
    World w;
    const LookupRow before = w.lookup("A", mlp());
    LookupRow inner = w.lookup("B", mlp());
    inner.record.outcome = Outcome::hit;
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.compile = {c.subject, inner};
    Case within = pair(before, inner);
    within.candidates.clear();
    within.same_key = {before};
    c.inner = {within};
    const RowId id = c.subject.id;
    c.texts = [=](const LookupRow& row, TextKind kind) {
      std::vector<TextRecord> out;
      const char* name = row.id == id ? "product" : "z";
      if (kind == TextKind::dynamo_graph)
        out.push_back({{},
                       kind,
                       "",
                       std::string("def forward(self, L_x_: \"f32[8]\"):\n    ") + name +
                           ": \"f32[8]\" = L_x_ * 2\n    return (" + name + ",)\n"});
      return out;
    };
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::components_not_recorded);
    QVERIFY2(e.summary.find("product") != std::string::npos, e.summary.c_str());
  }
  void seconds_are_counted_once() {
    World w;
    LookupRow first = w.lookup("B", mlp());
    LookupRow second = first;
    second.id = first.id + 1;
    Case c;
    c.subject = first;
    c.compile = {first, second};
    QCOMPARE(explain(c).cost_seconds, 0.0);  // the first try of what the second one compiled
    c.subject = second;
    QCOMPARE(explain(c).cost_seconds, 2.0);
  }
  void all_verdicts_have_a_name() {
    for (int i = 1; i <= 19; ++i) QVERIFY(std::string(name_of(static_cast<Verdict>(i))) != "unknown" || i == 19);
  }
};

QTEST_APPLESS_MAIN(TestVerdicts)
#include "test_verdicts.moc"
