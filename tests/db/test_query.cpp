// SPDX-License-Identifier: Apache-2.0
#include "keyhole/db/query.h"

#include <QTest>
#include <set>

#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"
#include "temporary_folder.h"

using namespace keyhole;
using keyhole::test::TemporaryFolder;

namespace {

/// 3 runs of 40 lookups: every third a hit, times falling, every fifth without a time.
void record(const std::string& store) {
  auto r = Recorder::open(store, false);
  VERIFY_OK(r);
  ComponentPool pool;
  for (int run = 0; run < 3; ++run) {
    RunRecord rr;
    rr.name = "run" + std::to_string(run);
    rr.argv = {"python", "train.py"};
    VERIFY_OK((*r)->begin_run(rr));
    ProcessRecord p;
    p.identity = rr.name;
    p.rank = run;
    const auto process = (*r)->process(p);
    for (int i = 0; i < 40; ++i) {
      CompileRecord c;
      c.id = {i, 0, 0, -1};
      c.function = i % 2 == 0 ? "forward" : "loss_fn";
      c.filename = "model.py";
      (*r)->compile(process, c);
      LookupRecord l;
      l.layer = i % 4 == 0 ? Layer::aot_autograd : Layer::fx_graph;
      l.compile = c.id;
      l.key =
          "f" + std::string(1, static_cast<char>('a' + i % 26)) + "key" + std::to_string(run) + "_" + std::to_string(i);
      l.outcome = i % 3 == 0 ? Outcome::hit : Outcome::miss;
      l.time = i % 5 == 0 ? kUnknownTime : 10000 - run * 100 - i;
      l.cost = i * 10;
      if (i % 7 == 0) l.reason = "Unsupported: HigherOrderOperator " + std::string(400, 'x');
      Digest d;
      d.bytes[0] = static_cast<std::uint8_t>(i % 2);
      l.components = {pool.intern("gm", Digest{}, "def Forward(self)"),
                      pool.intern("inductor_config[a]", Digest{}, "1"),
                      pool.intern("inductor_config[b]", d, i % 2 == 0 ? "spam" : "eggs")};
      (*r)->lookup(process, l);
    }
  }
  VERIFY_OK((*r)->commit());
}

}  // namespace

class TestQuery : public QObject {
  Q_OBJECT

 private slots:
  void filters_data() {
    QTest::addColumn<int>("which");
    QTest::addColumn<int>("expected");
    int n = 0;
    for (const int expected : {120, 42, 1, 60, 18, 60, 0, 6, 78, 40, 120, 60, 96})
      QTest::addRow("%d", n) << n << expected, ++n;
  }
  void filters() {
    QFETCH(int, which);
    QFETCH(int, expected);
    using F = Filter;
    const std::vector<Filter> filters = {
        {},
        F::where(Field::outcome, Compare::equal, static_cast<std::int64_t>(Outcome::hit)),
        F::where(Field::key, Compare::equal, std::string("fakey1_0")),
        F::where(Field::function, Compare::equal, std::string("forward")),
        F::where(Field::reason, Compare::contains, std::string("higherorder")),
        F::where(Field::component_text, Compare::equal, std::string("spam")),
        F::where(Field::component, Compare::contains, std::string("nothing")),
        F::all_of({F::where(Field::reason, Compare::known, 0), F::where(Field::outcome, Compare::equal, 1)}),
        F::none_of({F::where(Field::outcome, Compare::equal, 1)}),
        F::where(Field::run_name, Compare::starts_with, std::string("RUN1")),
        F::any_of({F::where(Field::rank, Compare::less, 1), F::where(Field::rank, Compare::greater_equal, 1)}),
        F::where(Field::cost, Compare::less, 200),
        F::where(Field::time, Compare::known, 0)};
    const TemporaryFolder folder;
    record(folder.path());
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    const auto count = reader->count(filters[static_cast<std::size_t>(which)]);
    VERIFY_OK(count);
    QCOMPARE(static_cast<int>(*count), expected);
  }

  void pages_join_to_the_whole_in_order_data() {
    QTest::addColumn<int>("field");
    QTest::addColumn<bool>("descending");
    for (const Field field :
         {Field::id, Field::time, Field::cost, Field::key, Field::function, Field::reason, Field::run_name})
      for (const bool descending : {false, true})
        QTest::addRow("%d %s", static_cast<int>(field), descending ? "down" : "up")
            << static_cast<int>(field) << descending;
  }
  void pages_join_to_the_whole_in_order() {
    QFETCH(int, field);
    QFETCH(bool, descending);
    const TemporaryFolder folder;
    record(folder.path());
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    LookupQuery query;
    query.sort = static_cast<Field>(field);
    query.descending = descending;
    query.limit = 1000;
    const auto whole = reader->page(query);
    VERIFY_OK(whole);
    QCOMPARE(whole->rows.size(), std::size_t{120});
    QVERIFY(!whole->next);
    if (query.sort == Field::time) {
      for (std::size_t i = 1; i < whole->rows.size(); ++i) {
        const auto a = whole->rows[i - 1].record.time, b = whole->rows[i].record.time;
        QVERIFY(descending ? a >= b : a <= b);
      }
    }
    for (const std::size_t limit : {std::size_t{7}, std::size_t{40}, std::size_t{120}}) {
      query.limit = limit;
      query.after.reset();
      std::vector<RowId> ids;
      int pages = 0;
      do {
        const auto page = reader->page(query);
        VERIFY_OK(page);
        QVERIFY(page->rows.size() <= limit);
        for (const auto& row : page->rows) ids.push_back(row.id);
        query.after = page->next;
        QVERIFY(++pages < 30);
      } while (query.after);
      QCOMPARE(ids.size(), whole->rows.size());
      for (std::size_t i = 0; i < ids.size(); ++i) QCOMPARE(ids[i], whole->rows[i].id);
    }
  }

  void what_has_the_wrong_type_is_refused() {
    const TemporaryFolder folder;
    record(folder.path());
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    const auto count = reader->count(Filter::where(Field::key, Compare::equal, 5));
    QVERIFY(!count);
    QVERIFY(count.error().kind == ErrorKind::usage);
    // Text never becomes SQL.
    const auto injected = reader->count(Filter::where(Field::key, Compare::equal, std::string("x' OR 1=1 --")));
    VERIFY_OK(injected);
    QCOMPARE(*injected, 0);
  }

  void a_list_of_ids_is_one_condition() {
    const TemporaryFolder folder;
    record(folder.path());
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    const auto id = [](std::int64_t n) { return Filter::where(Field::id, Compare::equal, n); };
    const auto some = Filter::any_of({id(3), id(7), id(7), id(100'000)});
    QCOMPARE(reader->count(some).value(), std::int64_t{2});
    QCOMPARE(reader->count(Filter::all_of({some, Filter::none_of({id(3)})})).value(), std::int64_t{1});
    QCOMPARE(reader->count(Filter::none_of({some})).value(), std::int64_t{118});
    LookupQuery query;
    query.filter = some;
    query.sort = Field::time;
    QCOMPARE(reader->page(query)->rows.size(), std::size_t{2});
  }

  void tallies_sum_up() {
    const TemporaryFolder folder;
    record(folder.path());
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    const auto by_layer = reader->tally(Field::layer, {});
    VERIFY_OK(by_layer);
    QCOMPARE(by_layer->size(), std::size_t{2});
    QCOMPARE(std::get<std::int64_t>(by_layer->front().value), static_cast<std::int64_t>(Layer::fx_graph));
    QCOMPARE(by_layer->front().lookups, 90);
    const auto by_function = reader->tally(Field::function, Filter::where(Field::outcome, Compare::equal, 1));
    VERIFY_OK(by_function);
    QCOMPARE(by_function->size(), std::size_t{2});
    QCOMPARE(by_function->front().hits, by_function->front().lookups);
  }

  void a_word_is_found_wherever_it_stands() {
    const TemporaryFolder folder;
    record(folder.path());
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    const auto kinds = [&](const char* word) {
      std::set<SearchHit::Kind> found;
      const auto hits = reader->search(word, 50);
      for (const auto& hit : *hits) found.insert(hit.kind);
      return found;
    };
    QVERIFY(kinds("EGGS") == std::set<SearchHit::Kind>{SearchHit::Kind::component});
    QVERIFY(kinds("key1_3").contains(SearchHit::Kind::key));
    QVERIFY(kinds("train.py") == std::set<SearchHit::Kind>{SearchHit::Kind::run});
    QVERIFY(kinds("no such word").empty());
    QCOMPARE(reader->search("key", 5)->size(), std::size_t{5});
  }
};

QTEST_GUILESS_MAIN(TestQuery)
#include "test_query.moc"
