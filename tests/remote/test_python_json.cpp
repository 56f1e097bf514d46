// SPDX-License-Identifier: Apache-2.0
#include "keyhole/remote/python_json.h"

#include <QtTest>
#include <limits>
#include <nlohmann/json.hpp>

using keyhole::python_float;
using keyhole::python_json;

class TestPythonJson : public QObject {
  Q_OBJECT
 private slots:
  void floats_data() {
    QTest::addColumn<double>("value");
    QTest::addColumn<QString>("text");  // what Python 3.11 prints
    const std::pair<double, const char*> cases[] = {{0.0, "0.0"},
                                                    {-0.0, "-0.0"},
                                                    {1.0, "1.0"},
                                                    {0.1, "0.1"},
                                                    {1.5, "1.5"},
                                                    {100.0, "100.0"},
                                                    {1e22, "1e+22"},
                                                    {1e16, "1e+16"},
                                                    {1e15, "1000000000000000.0"},
                                                    {123456789012345680.0, "1.2345678901234568e+17"},
                                                    {0.0001, "0.0001"},
                                                    {0.00001, "1e-05"},
                                                    {1.25e-7, "1.25e-07"},
                                                    {-2.5, "-2.5"},
                                                    {1e300, "1e+300"},
                                                    {5e-324, "5e-324"},
                                                    {12345.678, "12345.678"},
                                                    {0.30000000000000004, "0.30000000000000004"},
                                                    {std::numeric_limits<double>::infinity(), "inf"}};
    for (const auto& [value, text] : cases) QTest::newRow(text) << value << QString(text);
  }
  void floats() {
    QFETCH(double, value);
    QFETCH(QString, text);
    QCOMPARE(QString::fromStdString(python_float(value)), text);
  }
  void documents() {
    const nlohmann::ordered_json json = {
        {"b", 1}, {"a", {1, 2, {{"x", nullptr}}}}, {"\u00e9\n", "\x01\""}, {"e", nlohmann::ordered_json::object()}};
    QCOMPARE(python_json(json),
             std::string("{\"b\": 1, \"a\": [1, 2, {\"x\": null}], \"\\u00e9\\n\": \"\\u0001\\\"\", \"e\": {}}"));
    const nlohmann::ordered_json nested = {{"a", {{"b", {1, 2}}}}, {"c", nlohmann::ordered_json::array()}};
    QCOMPARE(python_json(nested, 4),
             std::string("{\n    \"a\": {\n        \"b\": [\n            1,\n            2\n        ]\n"
                         "    },\n    \"c\": []\n}"));
  }
};

QTEST_APPLESS_MAIN(TestPythonJson)
#include "test_python_json.moc"
