// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/session.h"

#include <QSignalSpy>
#include <QtTest>
#include <atomic>
#include <thread>

#include "made_store.h"

using namespace keyhole;
using namespace keyhole::inspector;

class TestSession : public QObject {
  Q_OBJECT
  made::Store store_;

  Session::Opener opener() {
    return [path = store_.path()] { return open_store(path); };
  }

 private slots:
  void initTestCase() { store_.fill(); }

  void a_question_is_answered_on_this_thread() {
    Session session(opener());
    QSignalSpy opened(&session, &Session::opened);
    const auto here = std::this_thread::get_id();
    std::thread::id worker, answered;
    std::size_t runs = 0;
    session.ask(
        Session::Lane::quick, this, 1,
        [&](Source& s, const Ticket&) {
          worker = std::this_thread::get_id();
          return s.newest_runs(10);
        },
        [&](const Result<std::vector<RunRow>>& r) {
          answered = std::this_thread::get_id();
          runs = r ? r->size() : 0;
        });
    QTRY_COMPARE(runs, std::size_t{2});
    QVERIFY(worker != here);
    QVERIFY(answered == here);
    QCOMPARE(opened.size(), 1);
    QTRY_COMPARE(session.pending(), 0);
  }

  void only_the_newest_question_of_a_channel_is_answered() {
    Session session(opener());
    std::vector<int> answers;
    std::atomic<int> worked = 0;
    std::atomic<bool> go = false;
    for (int i = 0; i < 20; ++i)
      session.ask(
          Session::Lane::quick, this, 1,
          [&, i](Source&, const Ticket&) -> Result<int> {
            while (!go) std::this_thread::yield();
            ++worked;
            return i;
          },
          [&](const Result<int>& r) { answers.push_back(*r); });
    go = true;
    QTRY_COMPARE(session.pending(), 0);
    QCOMPARE(answers, std::vector<int>{19});
    QVERIFY(worked <= 2);  // the one that had begun, and the last
  }

  void slow_work_does_not_hold_up_quick_work() {
    Session session(opener());
    std::atomic<bool> release = false;
    bool slow = false, quick = false;
    session.ask(
        Session::Lane::slow, this, 1,
        [&](Source&, const Ticket&) -> Result<int> {
          while (!release) std::this_thread::yield();
          return 1;
        },
        [&](const Result<int>&) { slow = true; });
    session.ask(
        Session::Lane::quick, this, 2, [](Source& s, const Ticket&) { return s.newest_runs(10); },
        [&](const Result<std::vector<RunRow>>&) { quick = true; });
    QTRY_VERIFY(quick);
    QVERIFY(!slow);
    release = true;
    QTRY_VERIFY(slow);
  }

  void an_asker_that_is_gone_hears_nothing() {
    Session session(opener());
    bool heard = false;
    auto asker = std::make_unique<QObject>();
    session.ask(
        Session::Lane::quick, asker.get(), 1, [](Source& s, const Ticket&) { return s.newest_runs(10); },
        [&](const Result<std::vector<RunRow>>&) { heard = true; });
    asker.reset();
    QTRY_COMPARE(session.pending(), 0);
    QVERIFY(!heard);
  }

  void a_store_that_is_not_there_says_so() {
    Session session([] { return open_store("/nowhere/at/all"); });
    QSignalSpy failed(&session, &Session::failed);
    QTRY_COMPARE(failed.size(), 1);
    const auto error = failed[0][0].value<Error>();
    QCOMPARE(error.kind, ErrorKind::not_found);
    QVERIFY(!error.hint.empty());
  }

  void a_store_that_grows_is_noticed() {
    made::Store store;
    store.fill();
    Session session([path = store.path()] { return open_store(path); });
    session.watch(20);
    QSignalSpy changed(&session, &Session::changed);
    QTest::qWait(120);
    QCOMPARE(changed.size(), 0);
    auto c = store.begin("C", made::kMorning + 6000 * made::kSecond);
    store.lookup(c, Layer::fx_graph, "0/0", made::key_of('f', "0 on"), Outcome::hit,
                 made::kMorning + 6001 * made::kSecond, 1);
    store.commit();
    QTRY_VERIFY(changed.size() >= 1);
    std::int64_t count = 0;
    session.ask(
        Session::Lane::quick, this, 3, [](Source& s, const Ticket& t) { return s.count({}, t); },
        [&](const Result<RowCount>& n) { count = n->rows; });
    QTRY_COMPARE(count, std::int64_t{9});
  }

  void leaving_while_work_waits() {
    auto session = std::make_unique<Session>(opener());
    for (int i = 0; i < 50; ++i)
      session->ask(
          Session::Lane::slow, this, 10 + i, [](Source& s, const Ticket& t) { return s.overview({}, t); },
          [](const Result<Overview>&) {});
    session.reset();
  }
};

QTEST_GUILESS_MAIN(TestSession)
#include "test_session.moc"
