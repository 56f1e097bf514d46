// SPDX-License-Identifier: Apache-2.0
#include <QTest>

#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"
#include "keyhole/db/store.h"
#include "temporary_folder.h"

using namespace keyhole;
using keyhole::test::TemporaryFolder;

namespace {

Digest digest_of(int n) {
  Digest d;
  for (std::size_t i = 0; i < d.bytes.size(); ++i)
    d.bytes[i] = static_cast<std::uint8_t>(n * 31 + static_cast<int>(i) * 7);
  return d;
}

struct Event {
  ComponentPool pool;
  std::vector<ComponentPtr> components;
  explicit Event(int flags = 40) {
    add("gm", 1, "GraphModule()\n\ndef forward(self, x): return x");
    add("example_inputs[0]", 2, "TensorMetadata(shape=[8, 16])");
    add("example_inputs[1]", 3, "TensorMetadata(shape=[16])");
    add("fx_kwargs[get_decomp_fn]", 4, "<function select at 0x7f00deadbeef>");
    for (int i = 0; i < flags; ++i)
      add("inductor_config[flag" + std::to_string(i) + "]", 100 + i % 3, i % 3 == 0 ? "True" : "False");
    add("custom", 5, std::string("with\nnewline\0and NUL", 20));
  }
  void add(const std::string& name, int digest, const std::string& text) {
    components.push_back(pool.intern(name, digest_of(digest), text));
  }
  Event& replace(const std::string& name, int digest, const std::string& text) {
    for (auto& c : components)
      if (c->name == name) c = pool.intern(name, digest_of(digest), text);
    return *this;
  }
};

LookupRecord full_lookup(const Event& event, const std::string& key) {
  LookupRecord r;
  r.layer = Layer::fx_graph;
  r.compile = *CompileId::parse("2/1");
  r.compile.attempt = 1;
  r.key = key;
  r.ordinal = 3;
  r.outcome = Outcome::guard_miss;
  r.status = "guard_miss";
  r.direction = Direction::backward;
  r.time = 1'700'000'000'123'456'789;
  r.duration = 11;
  r.cost = 12;
  r.saved = 13;
  r.guard = "L['s0'] <= 8";
  r.reason = "because";
  r.components = event.components;
  r.load_error = "EOFError: Ran out of input";
  r.save_error = "NotADirectoryError";
  return r;
}

bool same(const LookupRecord& a, const LookupRecord& b) {
  return a.layer == b.layer && a.compile == b.compile && a.key == b.key && a.ordinal == b.ordinal &&
         a.outcome == b.outcome && a.status == b.status && a.direction == b.direction && a.time == b.time &&
         a.duration == b.duration && a.cost == b.cost && a.saved == b.saved && a.guard == b.guard &&
         a.reason == b.reason && a.cache_off == b.cache_off && a.load_error == b.load_error &&
         a.save_error == b.save_error;
}

ProcessRecord some_process(const std::string& identity, std::int64_t pid = 77) {
  ProcessRecord p;
  p.identity = identity;
  p.host = "node1";
  p.pid = pid;
  p.rank = 0;
  p.start = 1'700'000'000'000'000'000;
  p.cache_dir = "/cache";
  p.versions_json = R"({"torch":"2.13.0"})";
  return p;
}

const std::string kKey = "fabcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrs";

}  // namespace

class TestRecorder : public QObject {
  Q_OBJECT

 private slots:
  void every_field_comes_back() {
    const TemporaryFolder folder;
    const std::string store = folder / "deep/er/store";
    const Event event;
    RunRecord run{"A", {"python", "train.py", "", "--x"}, "/work dir", "{\"K\":\"1\"}", "abc123", true, "{}", 5, 9, 3};
    CompileRecord compile;
    compile.id = {2, 1, 1, -1};
    compile.function = "forward";
    compile.filename = "model.py";
    compile.line = 7;
    compile.start = 1;
    compile.total = 2;
    compile.backend = 3;
    compile.inductor = 4;
    compile.recompile_reason = "size mismatch";
    compile.fail_reason = "none";
    compile.finished = true;
    const SymbolRecord symbol{compile.id, "s0", "8", "L['x'].size()[0]", "train.py", 12, "y = fn(x)"};
    const TextRecord graph{compile.id, TextKind::aot_forward_graph, "name.py", std::string(5000, 'g')};
    const LookupRecord lookup = full_lookup(event, kKey);
    {
      auto opened = Recorder::open(store);
      VERIFY_OK(opened);
      Recorder& r = **opened;
      VERIFY_OK(r.begin_run(run));
      const auto process = r.process(some_process("trace:1"));
      r.compile(process, compile);
      r.symbol(process, symbol);
      r.text(process, graph);
      r.lookup(process, lookup);
      r.problem({"trace.log", 77, "ends early", "import again"});
      VERIFY_OK(r.commit());
    }
    auto opened = Reader::open(store);
    VERIFY_OK(opened);
    Reader& reader = *opened;
    const auto runs = reader.runs();
    VERIFY_OK(runs);
    QCOMPARE(runs->size(), std::size_t{1});
    const RunRow& got = runs->front();
    QCOMPARE(got.record.name, run.name);
    QVERIFY(got.record.argv == run.argv);
    QCOMPARE(got.record.cwd, run.cwd);
    QCOMPARE(got.record.env_json, run.env_json);
    QCOMPARE(got.record.git_commit, run.git_commit);
    QCOMPARE(got.record.git_dirty, true);
    QCOMPARE(got.record.start, run.start);
    QCOMPARE(got.record.end, run.end);
    QVERIFY(got.record.exit_status == 3);
    QCOMPARE(got.processes, 1);
    QCOMPARE(got.lookups, 1);
    QCOMPARE(got.misses, 1);

    const auto processes = reader.processes(got.id);
    VERIFY_OK(processes);
    QCOMPARE(processes->size(), std::size_t{1});
    const ProcessRecord& p = processes->front().record;
    QCOMPARE(p.identity, std::string("trace:1"));
    QCOMPARE(p.host, std::string("node1"));
    QCOMPARE(p.pid, 77);
    QVERIFY(p.rank == 0);
    QCOMPARE(p.cache_dir, std::string("/cache"));
    QCOMPARE(p.versions_json, std::string(R"({"torch":"2.13.0"})"));

    const auto rows = reader.lookups_of_run(got.id);
    VERIFY_OK(rows);
    QCOMPARE(rows->size(), std::size_t{1});
    const LookupRow& row = rows->front();
    QVERIFY(same(row.record, lookup));
    QCOMPARE(row.run_name, std::string("A"));
    QCOMPARE(row.function, std::string("forward"));
    QCOMPARE(row.filename, std::string("model.py"));
    QCOMPARE(row.line, 7);
    QCOMPARE(row.cache_dir, std::string("/cache"));
    QVERIFY(reader.lookups_of_run(got.id, row.id)->empty());

    ComponentPool pool;
    const auto components = reader.components(row.component_set, pool);
    VERIFY_OK(components);
    QCOMPARE(components->size(), event.components.size());
    for (std::size_t i = 0; i < components->size(); ++i) {
      QCOMPARE((*components)[i]->name, event.components[i]->name);
      QVERIFY((*components)[i]->digest == event.components[i]->digest);
      QCOMPARE((*components)[i]->text, event.components[i]->text);
    }
    const auto c = reader.compile(row.process, compile.id);
    VERIFY_OK(c);
    QVERIFY(c->has_value());
    const CompileRecord& cr = (*c)->record;
    QCOMPARE(cr.total, compile.total);
    QCOMPARE(cr.recompile_reason, compile.recompile_reason);
    QVERIFY(cr.finished);
    const auto symbols = reader.symbols(row.process, compile.id);
    VERIFY_OK(symbols);
    QCOMPARE(symbols->size(), std::size_t{1});
    QCOMPARE(symbols->front().user_code, symbol.user_code);
    QCOMPARE(symbols->front().user_line, symbol.user_line);
    const auto texts = reader.texts(row.process, compile.id);
    VERIFY_OK(texts);
    QCOMPARE(texts->size(), std::size_t{1});
    QCOMPARE(texts->front().text, graph.text);
    QCOMPARE(texts->front().name, graph.name);
    QVERIFY(reader.texts(row.process, compile.id, TextKind::output_code)->empty());
    const auto problems = reader.problems(got.id);
    VERIFY_OK(problems);
    QCOMPARE(problems->size(), std::size_t{1});
    QCOMPARE(problems->front().offset, 77);
    QCOMPARE(reader.lookups_with_key_prefix("fabc", 5)->size(), std::size_t{1});
    QCOMPARE(reader.lookups_with_key(Layer::fx_graph, kKey, 0, 5)->size(), std::size_t{1});
    QVERIFY(reader.lookups_with_key(Layer::aot_autograd, kKey, 0, 5)->empty());
    QCOMPARE(reader.lookups_of_compile(row.process, compile.id)->size(), std::size_t{1});
  }

  void recording_again_changes_nothing_and_later_fields_fill_in() {
    const TemporaryFolder folder;
    const Event event;
    for (int round = 0; round < 3; ++round) {
      auto r = Recorder::open(folder / "s");
      VERIFY_OK(r);
      VERIFY_OK((*r)->begin_run({.name = "A",
                                 .argv = {},
                                 .cwd = {},
                                 .env_json = {},
                                 .git_commit = {},
                                 .versions_json = {},
                                 .exit_status = {}}));
      const auto p = (*r)->process(some_process("trace:1"));
      LookupRecord lookup = full_lookup(event, kKey);
      if (round == 0) {
        lookup.components.clear();
        lookup.guard.clear();
        lookup.outcome = Outcome::miss;
      }
      (*r)->lookup(p, lookup);
      LookupRecord off;
      off.cache_off = true;
      off.outcome = Outcome::bypass;
      off.compile = lookup.compile;
      (*r)->lookup(p, off);
      (*r)->problem({"trace.log", 77, "ends early", ""});
      VERIFY_OK((*r)->commit());
    }
    auto reader = Reader::open(folder / "s");
    VERIFY_OK(reader);
    const auto run = reader->last_run();
    VERIFY_OK(run);
    QCOMPARE((*run)->lookups, 2);
    QCOMPARE((*run)->misses, 1);
    QCOMPARE((*run)->bypasses, 1);
    const auto rows = reader->lookups_of_run((*run)->id);
    VERIFY_OK(rows);
    QCOMPARE(rows->size(), std::size_t{2});
    QVERIFY((*rows)[0].record.cache_off);
    QVERIFY(same((*rows)[1].record, full_lookup(event, kKey)));
    QVERIFY((*rows)[1].component_set != 0);
    QCOMPARE(reader->problems((*run)->id)->size(), std::size_t{1});
  }

  void a_changed_flag_is_the_only_difference() {
    const TemporaryFolder folder;
    Event before, after;
    after.replace("inductor_config[flag7]", 999, "None")
        .replace("fx_kwargs[get_decomp_fn]", 4, "<function select at 0x7fabcdef0123>");
    after.add("extra", 55, "new");
    auto r = Recorder::open(folder / "s");
    VERIFY_OK(r);
    const auto p = (*r)->process(some_process("trace:1"));
    (*r)->lookup(p, full_lookup(before, kKey));
    auto second = full_lookup(after, "f" + std::string(51, 'a'));
    second.time += 1000;
    (*r)->lookup(p, second);
    VERIFY_OK((*r)->commit());
    auto reader = Reader::open(folder / "s");
    VERIFY_OK(reader);
    const auto rows = reader->lookups_of_process(p);
    VERIFY_OK(rows);
    QCOMPARE(rows->size(), std::size_t{2});
    ComponentPool pool;
    const auto changes = reader->difference((*rows)[0].component_set, (*rows)[1].component_set, pool);
    VERIFY_OK(changes);
    QCOMPARE(changes->size(), std::size_t{2});
    QCOMPARE((*changes)[0].before->text, std::string("False"));
    QCOMPARE((*changes)[0].after->text, std::string("None"));
    QVERIFY((*changes)[1].before == nullptr);
    QCOMPARE((*changes)[1].after->name, std::string("extra"));
    QVERIFY(reader->difference((*rows)[0].component_set, (*rows)[0].component_set, pool)->empty());
    const auto components = reader->components((*rows)[1].component_set, pool);
    VERIFY_OK(components);
    for (std::size_t i = 0; i < components->size(); ++i) QCOMPARE((*components)[i]->name, after.components[i]->name);
    const auto candidates = reader->baseline_candidates((*rows)[1], 5);
    VERIFY_OK(candidates);
    QCOMPARE(candidates->size(), std::size_t{1});
    QCOMPARE(candidates->front().id, (*rows)[0].id);
    QVERIFY(reader->baseline_candidates((*rows)[0], 5)->empty());
  }

  /// Behind 60 newer lookups of the same graph stands the one that differs in a single flag.
  void the_nearest_lookup_of_a_long_history_is_a_candidate() {
    const TemporaryFolder folder;
    auto r = Recorder::open(folder / "s");
    VERIFY_OK(r);
    const auto p = (*r)->process(some_process("trace:1"));
    Nanoseconds time = 1'700'000'000'000'000'000;
    const auto add = [&](Event& event, int n) {
      auto lookup = full_lookup(
          event, "f" + std::string(49, 'a') + static_cast<char>('a' + n / 16) + static_cast<char>('a' + n % 16));
      lookup.time = time += 1'000'000'000;
      (*r)->lookup(p, lookup);
    };
    Event first;
    add(first, 0);
    for (int n = 1; n <= 60; ++n) {
      Event other;
      add(other.replace("example_inputs[0]", 2 + n, "TensorMetadata(shape=[" + std::to_string(n) + ", 16])")
              .replace("inductor_config[flag5]", 200, "None")
              .replace("inductor_config[flag6]", 200, "None"),
          n);
    }
    Event last;
    add(last.replace("inductor_config[flag7]", 200, "None"), 61);
    VERIFY_OK((*r)->commit());
    auto reader = Reader::open(folder / "s");
    VERIFY_OK(reader);
    const auto rows = reader->lookups_of_process(p);
    VERIFY_OK(rows);
    const auto candidates = reader->baseline_candidates(rows->back(), 5);
    VERIFY_OK(candidates);
    const auto has = [&](RowId id) {
      return std::any_of(candidates->begin(), candidates->end(), [&](const LookupRow& row) { return row.id == id; });
    };
    QVERIFY(has(rows->front().id));
    QVERIFY(has((*rows)[60].id));  // and the newest
    QVERIFY(candidates->size() <= 60);
  }

  void an_imported_run_starts_with_the_earliest_time_that_it_holds() {
    const TemporaryFolder folder;
    auto r = Recorder::open(folder / "s");
    VERIFY_OK(r);
    const Event event;
    ProcessRecord without_start = some_process("trace:1");
    without_start.start = kUnknownTime;
    const auto p = (*r)->process(without_start);
    auto later = full_lookup(event, kKey);
    const auto earliest = later.time;
    later.time += 1'000'000;
    (*r)->lookup(p, later);
    (*r)->lookup(p, full_lookup(event, "f" + std::string(51, 'a')));
    VERIFY_OK((*r)->commit());
    auto reader = Reader::open(folder / "s");
    VERIFY_OK(reader);
    const auto runs = reader->runs();
    VERIFY_OK(runs);
    QCOMPARE(runs->size(), std::size_t{1});
    QCOMPARE(runs->front().record.start, earliest);
  }

  void a_log_and_a_trace_of_one_process_merge() {
    const TemporaryFolder folder;
    const Event event;
    auto opened = Recorder::open(folder / "s");
    VERIFY_OK(opened);
    Recorder& r = **opened;
    const auto trace = r.process(some_process("trace:1", 5));
    const auto other = r.process(some_process("trace:2", 6));
    QVERIFY(trace != other);
    auto log = some_process("log:1", 5);
    log.start += 1'000'000;
    log.rank.reset();
    QCOMPARE(r.process(log), trace);
    QCOMPARE(r.process(log), trace);
    auto late = some_process("log:2", 6);
    late.start += 1'000'000'000'000'000;
    QVERIFY(r.process(late) != other);
    // Two candidates: kept apart, and said.
    auto twin = some_process("trace:3", 9), twin2 = some_process("trace:4", 9);
    twin.rank.reset();
    twin2.rank.reset();
    const auto a = r.process(twin), b = r.process(twin2);
    auto unclear = some_process("log:3", 9);
    const auto c = r.process(unclear);
    QVERIFY(c != a && c != b && a != b);
    // A log that came first is taken over by the trace.
    const auto first = r.process(some_process("log:5", 11));
    QCOMPARE(r.process(some_process("trace:5", 11)), first);
    VERIFY_OK(r.commit());
    auto reader = Reader::open(folder / "s");
    VERIFY_OK(reader);
    const auto run = reader->last_run();
    QCOMPARE(reader->problems((*run)->id)->size(), std::size_t{1});
  }

  void a_log_does_not_make_a_miss_of_a_guard_miss() {
    const TemporaryFolder folder;
    const std::string store = folder / "store";
    const Event event;
    const auto record = [&](const LookupRecord& lookup) {
      auto opened = Recorder::open(store);
      QVERIFY(opened);
      QVERIFY((*opened)->begin_run({"A", {}, {}, {}, {}, false, {}, 5, 9, 0}));
      (*opened)->lookup((*opened)->process(some_process("trace:1")), lookup);
      QVERIFY((*opened)->commit());
    };
    LookupRecord of_trace = full_lookup(event, kKey);
    LookupRecord of_log = of_trace;
    of_log.outcome = Outcome::miss;
    of_log.status.clear();
    of_log.load_error = "seen by the log alone";
    const auto check = [&](Outcome outcome, std::int64_t hits) {
      auto reader = Reader::open(store);
      QVERIFY(reader);
      const auto lookups = reader->lookups_of_run(1);
      QVERIFY(lookups && lookups->size() == 1);
      QCOMPARE(lookups->front().record.outcome, outcome);
      QCOMPARE(lookups->front().record.load_error, of_log.load_error);
      const auto run = reader->last_run();
      QVERIFY(run && *run);
      QCOMPARE((*run)->lookups, 1);
      QCOMPARE((*run)->hits, hits);
      QCOMPARE((*run)->misses, 1 - hits);
    };
    record(of_trace);
    record(of_log);
    check(Outcome::guard_miss, 0);
    of_trace.load_error.clear();  // a later reading of the trace still corrects what it said itself
    of_trace.outcome = Outcome::hit;
    of_trace.status = "hit";
    record(of_trace);
    check(Outcome::hit, 1);
  }
  void snapshots_share_what_did_not_change() {
    const TemporaryFolder folder;
    auto opened = Recorder::open(folder / "s");
    VERIFY_OK(opened);
    Recorder& r = **opened;
    const auto take = [&](Nanoseconds time, std::vector<int> entries) {
      const auto id = r.begin_snapshot({"/cache", "/copy", time, SnapshotMoment::after});
      for (const int n : entries) {
        EntryRecord e;
        e.key = "f" + std::string(51, static_cast<char>('a' + n));
        e.name = "x";
        e.path = "fxgraph/" + e.key;
        e.size = n;
        e.needs = {"k1", "k2"};
        e.state = EntryState::damaged;
        e.state_reason = "ends early";
        e.metadata_json = "{}";
        e.guard = "True";
        e.direction = Direction::forward;
        e.cost = 5;
        e.code_key = "cabc";
        e.modified = 99;
        r.entry(id, e);
      }
      return id;
    };
    const auto one = take(1, {0, 1, 2}), two = take(2, {0, 2}), three = take(3, {0, 1, 2});
    QCOMPARE(take(1, {0, 1, 2}), one);
    VERIFY_OK(r.commit());
    auto reader = Reader::open(folder / "s");
    VERIFY_OK(reader);
    const auto snapshots = reader->snapshots();
    VERIFY_OK(snapshots);
    QCOMPARE(snapshots->size(), std::size_t{3});
    QCOMPARE((*snapshots)[0].entries, 3);
    QCOMPARE((*snapshots)[1].entries, 2);
    QCOMPARE((*snapshots)[2].entries, 3);
    QCOMPARE(reader->entries_of_snapshot(two)->size(), std::size_t{2});
    const auto seen = reader->entries_with_key(Layer::fx_graph, "f" + std::string(51, 'b'));
    VERIFY_OK(seen);
    QCOMPARE(seen->size(), std::size_t{2});
    QCOMPARE(seen->front().snapshot, three);
    QCOMPARE(seen->back().snapshot, one);
    const EntryRecord& e = seen->front().record;
    QVERIFY(e.needs == (std::vector<std::string>{"k1", "k2"}));
    QVERIFY(e.state == EntryState::damaged);
    QCOMPARE(e.state_reason, std::string("ends early"));
    QCOMPARE(e.code_key, std::string("cabc"));
    QCOMPARE(e.modified, 99);
    QCOMPARE(e.cost, 5);
  }
};

QTEST_GUILESS_MAIN(TestRecorder)
#include "test_recorder.moc"
