// SPDX-License-Identifier: Apache-2.0
#include <QAbstractItemModelTester>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSignalSpy>
#include <QtTest>

#include "inspector/models/entry_model.h"
#include "inspector/models/export.h"
#include "inspector/models/lookup_model.h"
#include "inspector/models/node_model.h"
#include "inspector/models/workspace.h"
#include "made_store.h"

using namespace keyhole;
using namespace keyhole::inspector;

class TestModels : public QObject {
  Q_OBJECT
  made::Store store_;

  Session::Opener opener() {
    return [path = store_.path()] { return open_store(path); };
  }
  static QStringList column(const QAbstractItemModel& model, LookupColumn column) {
    QStringList values;
    for (int r = 0; r < model.rowCount(); ++r) values << model.index(r, int(column)).data(ExactRole).toString();
    return values;
  }

 private slots:
  void initTestCase() {
    store_.fill();
    auto many = store_.begin("many", made::kMorning + 9000 * made::kSecond);
    for (int i = 0; i < 1000; ++i)
      store_.lookup(many, Layer::code, std::to_string(i) + "/0", made::key_of('c', std::to_string(i)),
                    i % 4 == 0 ? Outcome::miss : Outcome::hit, made::kMorning + (9001 + i) * made::kSecond,
                    i * 1'000'000);
    SnapshotRecord snapshot;
    snapshot.location = "/cache";
    snapshot.time = made::kMorning;
    const auto id = store_.recorder().begin_snapshot(snapshot);
    for (int i = 0; i < 5; ++i) {
      EntryRecord e;
      e.layer = Layer::fx_graph;
      e.key = made::key_of('f', std::to_string(i));
      e.path = "fxgraph/" + std::to_string(i);
      e.size = i * 1000;
      e.state = i == 3 ? EntryState::damaged : EntryState::ok;
      store_.recorder().entry(id, e);
    }
    store_.commit();
  }

  void lookups_in_pages() {
    Session session(opener());
    LookupModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    QSignalSpy counted(&model, &PagedModelBase::counted);
    model.set_session(&session);
    QTRY_COMPARE(counted.size(), 1);
    QCOMPARE(model.rowCount(), 1008);
    QCOMPARE(model.index(0, int(LookupColumn::run)).data().toString(), QStringLiteral("many"));  // newest first
    // A row far away: a placeholder first, then the row.
    QCOMPARE(model.index(1007, 0).data().toString(), QStringLiteral("…"));
    QTRY_COMPARE(model.index(1007, int(LookupColumn::run)).data().toString(), QStringLiteral("A"));
    QVERIFY(
        model.index(1007, int(LookupColumn::cost)).data(Qt::ToolTipRole).toString().endsWith(QStringLiteral(" ns")));
    QCOMPARE(model.index(1007, int(LookupColumn::cost)).data(Qt::TextAlignmentRole).toInt() & Qt::AlignRight,
             int(Qt::AlignRight));
  }

  void filter_and_sort() {
    Session session(opener());
    LookupModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.set_session(&session);
    LookupQuery query;
    query.filter = parse_filter(QStringLiteral("outcome:miss -run:many")).root;
    QSignalSpy counted(&model, &PagedModelBase::counted);
    model.set_query(query);
    QTRY_VERIFY(counted.size() >= 1 && model.rowCount() == 5);
    model.sort(int(LookupColumn::cost), Qt::DescendingOrder);
    QTRY_COMPARE(column(model, LookupColumn::cost).value(0), QStringLiteral("4700000000"));
    QCOMPARE(column(model, LookupColumn::cost).value(4), QStringLiteral("1200000000"));
    model.sort(int(LookupColumn::cost), Qt::AscendingOrder);
    QTRY_COMPARE(column(model, LookupColumn::cost).value(0), QStringLiteral("1200000000"));
  }

  void many_scrolls_end_with_the_last() {
    Session session(opener());
    LookupModel model;
    QSignalSpy counted(&model, &PagedModelBase::counted);
    model.set_session(&session);
    QTRY_COMPARE(counted.size(), 1);
    for (int row = 200; row < 1000; row += 100) model.index(row, 0).data();
    QTRY_VERIFY(model.index(999, 1).data().toString() != QString());
  }

  void entries() {
    Session session(opener());
    EntryModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    QSignalSpy counted(&model, &PagedModelBase::counted);
    model.set_session(&session);
    QTRY_COMPARE(counted.size(), 1);
    QCOMPARE(model.rowCount(), 5);
    model.sort(int(EntryColumn::size), Qt::DescendingOrder);
    QTRY_COMPARE(model.index(0, int(EntryColumn::size)).data(ExactRole).toString(), QStringLiteral("4000"));
    EntryQuery query;
    query.filter = parse_filter(QStringLiteral("state:damaged")).root;
    model.set_query(query);
    QTRY_COMPARE(model.rowCount(), 1);
  }

  void small_trees() {
    NodeModel model({QStringLiteral("Name"), QStringLiteral("Figure")});
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    const auto node = [](const QString& name, double value) {
      Node n;
      n.id = qint64(value);
      n.cells = {Cell(name), Cell::figure(QString::number(value), {}, value)};
      return n;
    };
    Node a = node(QStringLiteral("a"), 10), b = node(QStringLiteral("b"), 9);
    a.children = {node(QStringLiteral("a2"), 2), node(QStringLiteral("a10"), 100)};
    model.set({a, b});
    QCOMPARE(model.rowCount(model.index(0, 0)), 2);
    QCOMPARE(model.index_of(100).parent(), model.index(0, 0));
    model.sort(1, Qt::AscendingOrder);
    QCOMPARE(model.index(0, 0).data().toString(), QStringLiteral("b"));
    model.sort(0, Qt::DescendingOrder);
    QCOMPARE(model.index(1, 0).data().toString(), QStringLiteral("a"));
    QCOMPARE(model.index(0, 0, model.index(1, 0)).data().toString(), QStringLiteral("a10"));  // numeric order, reversed
    model.set({});
    QCOMPARE(model.rowCount(), 0);
  }

  void export_escapes() {
    NodeModel model({QStringLiteral("Name"), QStringLiteral("Value")});
    Node n;
    Cell exact(QStringLiteral("3.1 s"));
    exact.exact = QStringLiteral("3100000000");
    n.cells = {Cell(QStringLiteral("say \"a, b\"\nnext")), exact};
    model.set({n});
    const auto rows = all_rows(model);
    QCOMPARE(export_rows(model, rows, ExportFormat::csv, true),
             QByteArray("Name,Value\r\n\"say \"\"a, b\"\"\nnext\",3100000000\r\n"));
    QCOMPARE(export_rows(model, rows, ExportFormat::tabs, false), QByteArray("say \"a, b\" next\t3100000000\n"));
    const auto json = QJsonDocument::fromJson(export_rows(model, rows, ExportFormat::json, false)).array();
    QCOMPARE(json[0].toObject()[QStringLiteral("Name")].toString(), QStringLiteral("say \"a, b\"\nnext"));
  }

  void back_and_forward() {
    Workspace w;
    w.open(opener(), QStringLiteral("store"));
    QSignalSpy opened(&w, &Workspace::opened);
    QTRY_COMPARE(opened.size(), 1);
    w.go_to_rows(QStringLiteral("outcome:miss"));
    w.explain(4);
    QCOMPARE(w.place().page, PageId::diagnose);
    w.back();
    QCOMPARE(w.place().page, PageId::history);
    QCOMPARE(w.filter().source, QStringLiteral("outcome:miss"));
    w.back();
    QCOMPARE(w.place().page, PageId::overview);
    QVERIFY(w.filter().empty());
    QVERIFY(!w.can_go_back());
    w.forward();
    w.forward();
    QCOMPARE(w.selected(), RowId{4});
    w.back();
    w.go(PageId::entries);
    QVERIFY(!w.can_go_forward());
  }

  void filters_undo_and_redo() {
    Workspace w;
    w.set_filter(QStringLiteral("a"));
    w.set_filter(QStringLiteral("a b"));
    w.set_filter(QStringLiteral("a ("));  // an error: shown, not applied, not remembered
    QVERIFY(w.filter().error);
    QCOMPARE(w.good_filter().source, QStringLiteral("a b"));
    w.undo_filter();
    QCOMPARE(w.filter().source, QStringLiteral("a b"));
    w.undo_filter();
    QCOMPARE(w.filter().source, QStringLiteral("a"));
    w.redo_filter();
    QCOMPARE(w.filter().source, QStringLiteral("a b"));
    w.undo_filter();
    w.undo_filter();
    QVERIFY(w.filter().empty());
    QVERIFY(!w.can_undo_filter());
  }
};

QTEST_GUILESS_MAIN(TestModels)
#include "test_models.moc"
