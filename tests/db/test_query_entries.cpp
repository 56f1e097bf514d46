// SPDX-License-Identifier: Apache-2.0
#include <QTest>
#include <algorithm>
#include <set>

#include "keyhole/cache/artifact_cache.h"
#include "keyhole/db/query.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"
#include "temporary_folder.h"

using namespace keyhole;
using keyhole::test::TemporaryFolder;

namespace {

EntryRecord made(int i) {
  EntryRecord e;
  e.layer = i % 3 == 0 ? Layer::code : Layer::fx_graph;
  e.key = "fkey" + std::to_string(i % 70);
  e.name = "n" + std::to_string(i);
  e.path = "fxgraph/" + std::to_string(i * 7919 % 1000) + "/" + std::to_string(i);
  e.size = i * 37 % 500;
  if (i % 4 != 0) e.modified = 1'000 + i * 13 % 90;
  if (i % 5 == 0) e.guard = "s0 <= " + std::to_string(i);
  if (i % 6 == 0) e.cost = i;
  if (i % 50 == 7) e.state = EntryState::damaged, e.state_reason = "the Pickle ends early";
  if (i == 11) e.metadata_json = R"({"note": "a Needle"})";
  return e;
}

}  // namespace

class TestQueryEntries : public QObject {
  Q_OBJECT
  TemporaryFolder folder_;
  const std::string store_ = folder_ / "store";

  void snapshot(Recorder& r, const std::string& location, int first, int last) {
    SnapshotRecord s;
    s.location = location;
    s.read_from = location;
    s.time = ++clock_;
    const auto id = r.begin_snapshot(s);
    for (int i = first; i < last; ++i) r.entry(id, made(i));
    VERIFY_OK(r.commit());
  }
  Nanoseconds clock_ = 5'000;

  Reader opened() {
    auto reader = Reader::open_with_cache(store_);
    if (!reader) qFatal("%s", reader.error().line().c_str());
    return std::move(*reader);
  }
  static std::vector<EntryRow> rows(Reader& reader, const EntryQuery& query) {
    auto places = reader.entry_places(query);
    if (!places) qFatal("%s", places.error().line().c_str());
    return reader.entries(*places).value();
  }
  static std::size_t found(Reader& reader, const Filter& filter) {
    EntryQuery query;
    query.filter = filter;
    query.limit = 10'000;
    const auto n = rows(reader, query).size();
    if (reader.count_entries(filter).value() != static_cast<std::int64_t>(n)) qFatal("counted otherwise than listed");
    return n;
  }

 private slots:
  void initTestCase() {
    auto r = Recorder::open(store_, false);
    VERIFY_OK(r);
    RunRecord run;
    run.name = "run";
    VERIFY_OK((*r)->begin_run(run));
    ProcessRecord process;
    process.identity = "p";
    const auto p = (*r)->process(process);
    CompileRecord c;
    c.id = {0, 0, 0, -1};
    (*r)->compile(p, c);
    (*r)->text(p, {c.id, TextKind::output_code, "", "def call(args): triton_poi_FUSED_add"});
    LookupRecord l;
    l.layer = Layer::fx_graph;
    l.key = "fkey1";
    l.compile = c.id;
    (*r)->lookup(p, l);
    snapshot(**r, "/cache/a", 0, 300);
    snapshot(**r, "/cache/b", 100, 140);  // the same files elsewhere
    snapshot(**r, "/cache/a", 0, 290);    // ten are gone
    auto cache = ArtifactCache::open(store_, {.record = false});
    VERIFY_OK(cache);
    for (int i = 0; i < 20; ++i) {
      const std::string key = "kept" + std::to_string(i), bytes = "bytes " + std::to_string(i);
      NewEntry e;
      e.layer = Layer::code;
      e.key = key;
      e.bytes = bytes;
      e.metadata = i == 3 ? R"({"command": ["g++", "needle.cpp"]})" : "";
      VERIFY_OK((*cache)->put(e));
    }
  }

  void all_of_all_locations_and_of_the_cache() {
    Reader reader = opened();
    QCOMPARE(found(reader, {}), std::size_t{300 + 40 + 20});
    QCOMPARE(found(reader, Filter::where(Field::location, Compare::equal, std::string("/cache/b"))), std::size_t{40});
    QCOMPARE(found(reader, Filter::where(Field::location, Compare::contains, std::string("(STORE)"))), std::size_t{20});
    QCOMPARE(found(reader, Filter::where(Field::state, Compare::equal, std::int64_t(EntryState::vanished))),
             std::size_t{10});
    EntryQuery gone;
    gone.filter = Filter::where(Field::state, Compare::equal, std::int64_t(EntryState::vanished));
    for (const EntryRow& row : rows(reader, gone)) {
      QCOMPARE(row.record.state, EntryState::vanished);
      QCOMPARE(row.snapshot, RowId{1});  // the last that saw it
    }
  }

  void every_order_is_one_of_all_rows() {
    Reader reader = opened();
    for (const Field field : {Field::id, Field::layer, Field::key, Field::path, Field::state, Field::size, Field::time,
                              Field::cost, Field::direction, Field::guard, Field::location})
      for (const bool descending : {false, true}) {
        EntryQuery query;
        query.sort = field;
        query.descending = descending;
        query.limit = 10'000;
        const auto whole = reader.entry_places(query).value();
        QCOMPARE(whole.size(), std::size_t{360});
        std::set<std::pair<RowId, RowId>> different;
        for (const EntryPlace& place : whole) different.emplace(place.entry, place.location);
        QCOMPARE(different.size(), whole.size());
        // Pages are cut out of the same order.
        query.limit = 50;
        for (query.skip = 0; query.skip < 360; query.skip += 50) {
          const auto page = reader.entry_places(query).value();
          QVERIFY(std::equal(page.begin(), page.end(), whole.begin() + query.skip));
        }
        const auto rows_in_order = reader.entries(whole).value();
        const auto text = [&](const EntryRow& row) { return field == Field::path ? row.record.path : row.record.key; };
        if (field == Field::path || field == Field::key)
          QVERIFY(std::is_sorted(rows_in_order.begin(), rows_in_order.end(), [&](const auto& a, const auto& b) {
            return descending ? text(a) > text(b) : text(a) < text(b);
          }));
        if (field == Field::size)
          QVERIFY(std::is_sorted(rows_in_order.begin(), rows_in_order.end(), [&](const auto& a, const auto& b) {
            return descending ? a.record.size > b.record.size : a.record.size < b.record.size;
          }));
      }
  }

  void words_stand_in_metadata_guards_reasons_and_code() {
    Reader reader = opened();
    const auto word = [](const char* text) {
      return Filter::where(Field::words, Compare::contains, std::string(text));
    };
    QCOMPARE(found(reader, word("needle")), std::size_t{2});           // of a snapshot, and of the cache
    QCOMPARE(found(reader, word("pickle ends")), std::size_t{6 + 1});  // 107 lies at both locations
    QCOMPARE(found(reader, word("s0 <= 120")), std::size_t{2});
    // In the code of a compile: the entries under its key and layer.
    std::size_t expected = 0;
    for (int i = 0; i < 300; ++i) expected += i % 70 == 1 && i % 3 != 0 ? (i >= 100 && i < 140 ? 2 : 1) : 0;
    QVERIFY(expected > 1);
    QCOMPARE(found(reader, word("triton_poi_fused_ADD")), expected);
    QCOMPARE(found(reader, word("nowhere at all")), std::size_t{0});
  }

  void conditions_join() {
    Reader reader = opened();
    const auto big = Filter::where(Field::size, Compare::greater_equal, std::int64_t{250});
    const auto code = Filter::where(Field::layer, Compare::equal, std::int64_t(Layer::code));
    QCOMPARE(found(reader, Filter::any_of({big, Filter::none_of({big})})), std::size_t{360});
    QCOMPARE(found(reader, Filter::all_of({code, big})) + found(reader, Filter::all_of({code, Filter::none_of({big})})),
             found(reader, code));
    QCOMPARE(found(reader, Filter::any_of({})), std::size_t{0});
    const auto lost = reader.count_entries(Filter::where(Field::outcome, Compare::equal, std::int64_t{1}));
    QVERIFY(!lost);
    QCOMPARE(lost.error().kind, ErrorKind::usage);
    EntryQuery by_words;
    by_words.sort = Field::words;
    QVERIFY(!reader.entry_places(by_words));
    QVERIFY(!reader.count(Filter::where(Field::path, Compare::contains, std::string("x"))));  // lookups have no path
  }

  void a_damaged_cache_costs_only_itself() {
    const TemporaryFolder folder;
    const std::string store = folder / "store";
    {
      auto r = Recorder::open(store, false);
      VERIFY_OK(r);
      snapshot(**r, "/cache", 0, 5);
    }
    QFile file(QString::fromStdString(store + "/cache.db"));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(QByteArray(9'000, 'x'));
    file.close();
    auto reader = Reader::open_with_cache(store);
    VERIFY_OK(reader);
    QCOMPARE(reader->count_entries({}).value(), std::int64_t{5});
  }
};

QTEST_GUILESS_MAIN(TestQueryEntries)
#include "test_query_entries.moc"
