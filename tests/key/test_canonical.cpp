// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/canonical.h"

#include <QtTest>
#include <cmath>
#include <set>

#include "golden_details.h"

using namespace keyhole;
using V = KeyValue;

namespace {
std::string hex(const V& value) {
  return QByteArray::fromStdString(canonical_bytes(value).value()).toHex().toStdString();
}
}  // namespace

class TestCanonical : public QObject {
  Q_OBJECT
 private slots:
  /// The encoding is a format: these bytes never change.
  void bytes_are_fixed() {
    QCOMPARE(hex(V::null()), std::string("01"));
    QCOMPARE(hex(V::boolean(true)), std::string("0201"));
    QCOMPARE(hex(V::integer(0)), std::string("030000"));
    QCOMPARE(hex(V::integer(-256)), std::string("0301020100"));
    QCOMPARE(hex(V::integer(INT64_MIN)), std::string("0301088000000000000000"));
    QCOMPARE(hex(V::big_integer("18446744073709551616").value()), std::string("030009010000000000000000"));
    QCOMPARE(hex(V::big_integer("-18446744073709551616").value()), std::string("030109010000000000000000"));
    QCOMPARE(hex(V::real(1.5)), std::string("043ff8000000000000"));
    QCOMPARE(hex(V::real(-std::nan("7"))), std::string("047ff8000000000000"));
    QCOMPARE(hex(V::text("ab")), std::string("05026162"));
    QCOMPARE(hex(V::text(std::string(200, 'a'))).substr(0, 6), std::string("05c801"));
    QCOMPARE(hex(V::list({V::null(), V::integer(1)})), std::string("07020103000101"));
    QCOMPARE(hex(V::map(V::Fields{{"b", V::null()}, {"a", V::null()}})), std::string("090205016101050162"
                                                                                     "01"));
    QCOMPARE(hex(V::reference("torch", "float32")), std::string("0f05746f72636807666c6f61743332"));
  }
  void no_two_values_share_their_bytes() {
    const V values[] = {V::null(),
                        V::boolean(false),
                        V::integer(0),
                        V::real(0.0),
                        V::real(-0.0),
                        V::text(""),
                        V::bytes(""),
                        V::list({}),
                        V::tuple({}),
                        V::map(V::Pairs{}),
                        V::set({}),
                        V::frozen_set({}),
                        V::symbol("s0"),
                        V::text("s0"),
                        V::text("a||b"),
                        V::list({V::text("a"), V::text("b")}),
                        V::list({V::text("ab")}),
                        V::list({V::list({V::text("a")}), V::text("b")}),
                        V::list({V::list({V::text("a"), V::text("b")})}),
                        V::integer(1),
                        V::integer(-1),
                        V::boolean(true),
                        V::tensor(TensorMetadata{}),
                        V::tensor_values(TensorMetadata{}, V::null()),
                        V::reference("a", "b"),
                        V::reference("a.b", ""),
                        V::call(V::reference("a", "b"), {}),
                        V::record(V::reference("a", "b"), {}),
                        V::opaque("x", "shown")};
    std::set<std::string> seen;
    for (const V& value : values) QVERIFY(seen.insert(canonical_bytes(value).value()).second);
  }
  void order_matters_only_where_it_should() {
    QCOMPARE(hex(V::map(V::Fields{{"b", V::integer(1)}, {"a", V::integer(2)}})),
             hex(V::map(V::Fields{{"a", V::integer(2)}, {"b", V::integer(1)}})));
    QCOMPARE(hex(V::set({V::text("x"), V::text("y")})), hex(V::set({V::text("y"), V::text("x")})));
    QVERIFY(hex(V::list({V::text("x"), V::text("y")})) != hex(V::list({V::text("y"), V::text("x")})));
  }
  void refuses_what_has_no_canonical_form() {
    QVERIFY(!canonical_bytes(V::set({V::text("x"), V::text("x")})));
    QVERIFY(!canonical_bytes(V::map(V::Fields{{"x", V::null()}, {"x", V::integer(1)}})));
    V deep = V::null();
    for (int i = 0; i < 250; ++i) deep = V::list({deep});
    QVERIFY(!canonical_bytes(deep));
    KeyBuilder builder("k");
    QCOMPARE(builder.add("bad", V::set({V::null(), V::null()})).error().where, std::string("bad"));
    QVERIFY(builder.parts().empty());
    QVERIFY(!KeyBuilder("k", std::string(65, 'x')).key());
  }
  void keys_are_stable() {
    KeyBuilder builder("k", "producer 1");
    QVERIFY(builder.add("tag", V::text("x")));
    QVERIFY(builder.add_field("sizes", V::list({V::integer(8), V::integer(16)})));
    QVERIFY(builder.add_field("config", V::map(V::Fields{{"b", V::boolean(true)}, {"a", V::real(0.5)}})));
    QVERIFY(builder.add_field("empty", V::list({})));
    const std::vector<std::string> names = {"tag", "sizes[0]", "sizes[1]", "config[a]", "config[b]", "empty"};
    for (std::size_t i = 0; i < names.size(); ++i) QCOMPARE(builder.parts()[i].name, names[i]);
    const std::string key = builder.key().value();
    QCOMPARE(key.size(), 52u);
    QVERIFY(key.starts_with("k"));
    // A changed part put back gives the key again; so does an imported digest of the same value.
    auto parts = builder.parts();
    const Digest original = parts[1].digest;
    parts[1].digest = canonical_digest(V::integer(9)).value();
    QVERIFY(key_of_parts("k", "producer 1", parts).value() != key);
    parts[1].digest = original;
    QCOMPARE(key_of_parts("k", "producer 1", parts).value(), key);
    QVERIFY(key_of_parts("k", "producer 2", parts).value() != key);
    Digest read;
    QVERIFY(Digest::parse_base32(original.base32(), read));
    QCOMPARE(read, original);
  }
  void a_real_graph() {
    KeyBuilder builder("f", "torch 2.13.0");
    for (const auto& [name, value] : golden_details()) QVERIFY(builder.add_field(name, value));
    QVERIFY(builder.parts().size() > 600);
    QCOMPARE(builder.key().value().size(), 52u);
  }
};

QTEST_APPLESS_MAIN(TestCanonical)
#include "test_canonical.moc"
