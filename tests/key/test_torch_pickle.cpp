// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/torch_pickle.h"

#include <QtTest>
#include <limits>
#include <map>

#include "golden_details.h"
#include "keyhole/key/debug_line.h"
#include "keyhole/key/hash.h"

using namespace keyhole;
using V = KeyValue;

namespace {

V numbers(int count) {
  V::Items items;
  for (int i = 0; i < count; ++i) items.push_back(V::integer(i));
  return V::list(std::move(items));
}

V integers(std::initializer_list<int> values) {
  V::Items items;
  for (const int value : values) items.push_back(V::integer(value));
  return V::tuple(std::move(items));
}

V reference(const char* module, const char* name) {
  return V::reference(module, name);
}

TensorMetadata contiguous(const char* dtype, std::vector<SymbolicInt> shape, std::vector<SymbolicInt> stride) {
  TensorMetadata m;
  m.dtype = dtype;
  m.shape = std::move(shape);
  m.stride = std::move(stride);
  m.memory_format = "torch.contiguous_format";
  return m;
}

// The values behind the names of the vectors.
std::map<std::string, V> named_values() {
  const char* const codecache = "torch._inductor.codecache";
  const V holder = reference(codecache, "OrderedSetHolder");
  const auto text = [](const char* t) { return V::text(t); };
  V::Pairs many;
  for (int i = 0; i < 1001; ++i) many.emplace_back(V::integer(i), V::integer(i));
  const V row = V::list({V::real(0), V::real(0), V::real(0)});
  return {
      {"None", V::null()},
      {"True", V::boolean(true)},
      {"False", V::boolean(false)},
      {"0", V::integer(0)},
      {"1", V::integer(1)},
      {"255", V::integer(255)},
      {"256", V::integer(256)},
      {"65535", V::integer(65535)},
      {"65536", V::integer(65536)},
      {"-1", V::integer(-1)},
      {"2**31-1", V::integer(2147483647)},
      {"2**31", V::integer(2147483648)},
      {"-2**31", V::integer(-2147483648LL)},
      {"2**63", V::big_integer("9223372036854775808").value()},
      {"1.5", V::real(1.5)},
      {"inf", V::real(std::numeric_limits<double>::infinity())},
      {"empty str", text("")},
      {"'abc'", text("abc")},
      {"'é✓'", text("é✓")},
      {"256-char str", V::text(std::string(256, 's'))},
      {"b''", V::bytes("")},
      {"b'abc'", V::bytes("abc")},
      {"300 bytes", V::bytes(std::string(300, 'z'))},
      {"()", integers({})},
      {"(1,)", integers({1})},
      {"(1,2)", integers({1, 2})},
      {"(1,2,3)", integers({1, 2, 3})},
      {"(1,2,3,4)", integers({1, 2, 3, 4})},
      {"[]", V::list({})},
      {"[1]", V::list({V::integer(1)})},
      {"[1,2,3]", V::list({V::integer(1), V::integer(2), V::integer(3)})},
      {"{}", V::map(V::Pairs{})},
      {"{'a':1}", V::map(V::Fields{{"a", V::integer(1)}})},
      {"{'b':1,'a':2}", V::map(V::Fields{{"b", V::integer(1)}, {"a", V::integer(2)}})},
      {"{'a':2,'b':1}", V::map(V::Fields{{"a", V::integer(2)}, {"b", V::integer(1)}})},
      {"['ab','ab']", V::list({text("ab"), text("ab")})},
      {"OrderedSetHolder(['a','b'])", V::record(holder, {{"items", V::list({text("a"), text("b")})}})},
      {"torch.float32", reference("torch", "float32")},
      {"torch.bfloat16", reference("torch", "bfloat16")},
      {"device cpu", V::call(reference("torch", "device"), {text("cpu")})},
      {"device cuda:1", V::call(reference("torch", "device"), {text("cuda"), V::integer(1)})},
      {"torch.strided", V::call(reference("torch.serialization", "_get_layout"), {text("torch.strided")})},
      {"contiguous_format", reference("torch._utils", "torch.contiguous_format")},
      {"torch.Size([2,3])", V::call(reference("torch", "Size"), {integers({2, 3})})},
      {"frozenset({1})", V::frozen_set({V::integer(1)})},
      {"HashableOpaqueValue(0)", V::record(reference(codecache, "HashableOpaqueValue"), {{"ordinal", V::integer(0)}})},
      {"BoxedDeviceIndex(None)",
       V::record(reference("torch._inductor.cudagraph_utils", "BoxedDeviceIndex"), {{"value", V::null()}})},
      {"tensor arange(3)", V::tensor_values(contiguous("torch.int64", {3}, {1}), numbers(3))},
      {"tensor zeros(2,3)", V::tensor_values(contiguous("torch.float32", {2, 3}, {3, 1}), V::list({row, row}))},
      {"list of 1001 ints", numbers(1001)},
      {"dict of 1001", V::map(std::move(many))},
      {"set {1}", V::set({V::integer(1)})},
      {"OrderedDict(a=1)", V::call(reference("collections", "OrderedDict"), {}, {{text("a"), V::integer(1)}})},
      {"nested [[1]]", V::list({V::list({V::integer(1)})})},
      {"builtin len", reference("builtins", "len")},
      {"class OrderedSetHolder", holder},
  };
}

// The frames of a pickle: where each header stands and how much it holds.
std::vector<std::pair<std::size_t, std::uint64_t>> frames_of(const std::string& pickle,
                                                             const nlohmann::json& expected) {
  std::vector<std::pair<std::size_t, std::uint64_t>> out;
  for (const auto& frame : expected) {
    const std::size_t at = frame[0];
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 8; ++i)
      length |= static_cast<std::uint64_t>(static_cast<unsigned char>(pickle[at + 1 + i])) << (8 * i);
    if (pickle[at] == '\x95') out.emplace_back(at, length);
  }
  return out;
}

// Elements of a constant as they are printed: nested lists of numbers and booleans. Absent: complex or other.
std::optional<V> values_of(const std::string& text) {
  const nlohmann::json j = nlohmann::json::parse(
      QString::fromStdString(text).replace("True", "true").replace("False", "false").toStdString(), nullptr, false);
  if (j.is_discarded()) return std::nullopt;
  const std::function<V(const nlohmann::json&)> convert = [&](const nlohmann::json& item) {
    if (item.is_boolean()) return V::boolean(item);
    if (item.is_number_integer()) return V::integer(item);
    if (item.is_number_float()) return V::real(item);
    V::Items items;
    for (const auto& inner : item) items.push_back(convert(inner));
    return V::list(std::move(items));
  };
  return convert(j);
}

}  // namespace

class TestTorchPickle : public QObject {
  Q_OBJECT
 private slots:
  void bytes_of_named_values() {
    const auto values = named_values();
    std::size_t seen = 0;
    for (const auto& vector : golden("pickle")["pickler_bytes"]) {
      if (!vector.contains("value")) continue;
      const std::string name = vector["value"];
      QVERIFY2(values.contains(name), name.c_str());
      const std::string bytes = torch_pickle(values.at(name));
      QCOMPARE(bytes.size(), vector["len"].get<std::size_t>());
      if (const std::string hex = vector["hex"]; !hex.ends_with("...")) QVERIFY2(bytes == from_hex(hex), name.c_str());
      QCOMPARE(torch_digest(values.at(name)).base32(), vector["hash"].get<std::string>());
      ++seen;
    }
    QCOMPARE(seen, values.size());
  }
  void frames_of_large_values() {
    const std::map<std::string, V> values = {
        {"str 70000", V::text(std::string(70000, 'x'))},
        {"list of 2 str 40000",
         V::list({V::text(std::string(40000, 'x')), V::text(std::string(40000, 'y')), V::text("z")})},
        {"list of 30000 ints", numbers(30000)}};
    int seen = 0;
    for (const auto& vector : golden("pickle")["composition"]["big_framing"]) {
      const std::string bytes = torch_pickle(values.at(vector["value"]));
      QCOMPARE(bytes.size(), vector["len"].get<std::size_t>());
      const auto frames = frames_of(bytes, vector["frames"]);
      QCOMPARE(frames.size(), vector["frames"].size());
      for (std::size_t i = 0; i < frames.size(); ++i)
        QCOMPARE(frames[i].second, vector["frames"][i][1].get<std::uint64_t>());
      ++seen;
    }
    QCOMPARE(seen, 3);
  }
  void integers_are_minimal() {
    const auto hex = [](const char* decimal) {
      const std::string body = torch_pickle_body(V::big_integer(decimal).value());
      return QByteArray::fromStdString(body).toHex().toStdString();
    };
    QCOMPARE(hex("-129"), std::string("4a7fffffff"));
    QCOMPARE(hex("549755813887"), std::string("8a05ffffffff7f"));
    QCOMPARE(hex("549755813888"), std::string("8a06000000008000"));
    QCOMPARE(hex("-549755813888"), std::string("8a050000000080"));
    QCOMPARE(hex("-9223372036854775808"), std::string("8a080000000000000080"));
    QCOMPARE(hex("-9223372036854775809"), std::string("8a09ffffffffffffff7fff"));
    for (const char* text :
         {"9223372036854775808", "-340282366920938463463374607431768211456", "1000000000000000000000000000000"})
      QCOMPARE(V::big_integer(text)->repr(), std::string(text));
    for (const char* bad : {"", "-", "1.5", "0x10", " 1"}) QVERIFY(!V::big_integer(bad));
  }
  void tensor_hashes() {
    int seen = 0;
    for (const auto& vector : golden("tensor_metadata")["tensor_metadata"]) {
      for (const auto& [text, hash] :
           {std::pair("reduce_str", "hash"), std::pair("agnostic_reduce_str", "agnostic_hash")}) {
        if (!vector.contains(hash) || !vector.contains(text)) continue;
        const std::string printed = vector[text];
        const auto parsed = parse_tensor_metadata(printed);
        QVERIFY2(parsed, printed.c_str());
        V value = V::tensor(parsed->metadata);
        if (!parsed->values.empty()) {
          const auto values = values_of(std::string(parsed->values));
          if (!values) continue;  // complex numbers: only the producer can spell them
          value = V::tensor_values(parsed->metadata, *values);
        }
        QVERIFY2(torch_digest(value).base32() == vector[hash].get<std::string>(), printed.c_str());
        ++seen;
      }
    }
    QVERIFY(seen >= 15);
  }
  void small_debug_lines() {
    const std::map<std::string, V> values = {
        {"an_int", V::integer(3)},
        {"a_str", V::text("abc")},
        {"a_none", V::null()},
        {"a_bool", V::boolean(true)},
        {"a_float", V::real(0.5)},
        {"a_tuple", V::tuple({V::integer(1), V::text("x")})},
        {"a_list", V::list({V::integer(1), V::text("two"), V::tuple({V::integer(3)})})},
        {"a_dict", V::map(V::Fields{{"zeta", V::integer(1)}, {"alpha", V::list({V::integer(1), V::integer(2)})}})},
        {"bytes_1024", V::bytes(std::string(1024, 'q'))},
        {"bytes_1025", V::bytes(std::string(1025, 'q'))},
        {"holder", V::record(reference("torch._inductor.codecache", "OrderedSetHolder"),
                             {{"items", V::list({V::text("a"), V::text("b")})}})},
        {"dtype", reference("torch", "float32")}};
    std::map<std::string, std::string> lines;
    for (const auto& [name, value] : values)
      for (const Component& c : torch_components({{name, value}}))
        lines[c.name] = "[" + c.digest.base32() + "] " + c.name + ": " + c.text;
    std::size_t seen = 0;
    for (const auto& line : golden("debug_lines_small")["lines"]) {
      const std::string whole = line;
      const auto known = lines.find(std::string(parse_debug_line(whole)->name));
      if (known == lines.end()) continue;
      QCOMPARE(known->second, whole);
      ++seen;
    }
    QCOMPARE(seen, lines.size());
  }
  void shown_bytes_are_decoded_with_replacement() {
    QCOMPARE(V::bytes("abc\xff\xfe").shown(), std::string("abc\ufffd\ufffd"));
    QCOMPARE(V::bytes("\xe2\x82z\xed\xa0\x80").shown(), std::string("\ufffdz\ufffd\ufffd\ufffd"));
    const std::string two_bytes = [] {
      std::string s;
      for (int i = 0; i < 1025; ++i) s += "é";
      return s;
    }();
    QCOMPARE(V::bytes(two_bytes).shown(), two_bytes.substr(0, 2048) + "...");
  }
  /// A real graph: every digest, every text but one address, and the key itself.
  void whole_key_of_a_real_graph() {
    const auto& vector = golden("fx_details");
    const DetailFields fields = golden_details();
    const auto components = torch_components(fields);
    QCOMPARE(components.size(), vector["lines"].size());
    int texts = 0;
    for (std::size_t i = 0; i < components.size(); ++i) {
      const std::string whole = vector["lines"][i];
      const auto line = parse_debug_line(whole);
      QVERIFY(line);
      QCOMPARE(components[i].name, std::string(line->name));
      QVERIFY2(components[i].digest == line->digest, whole.c_str());
      texts += components[i].text == line->text;
    }
    QVERIFY2(texts + 8 > static_cast<int>(components.size()), std::to_string(texts).c_str());
    QCOMPARE(torch_fx_key(fields), vector["key"].get<std::string>());
  }
  /// The stream is its parts: head, for each field its name and body, tail. What proves a cause rests on this.
  void the_stream_splices() {
    const DetailFields fields = golden_details();
    const V whole = V::record(reference("torch._inductor.codecache", "FxGraphHashDetails"), fields);
    std::string composed = from_hex("8c19") + "torch._inductor.codecache" + from_hex("8c12") + "FxGraphHashDetails" +
                           from_hex("9329817d28");
    for (const auto& [name, value] : fields) composed += torch_pickle_body(V::text(name)) + torch_pickle_body(value);
    composed += from_hex("7562");
    QVERIFY(composed == torch_pickle_body(whole));
    DetailFields changed = fields;
    for (auto& [name, value] : changed)
      if (name == "default_dtype") value = reference("torch", "float64");
    QVERIFY(torch_fx_key(changed) != torch_fx_key(fields));
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (fields[i].first == "default_dtype") changed[i] = fields[i];
    QCOMPARE(torch_fx_key(changed), torch_fx_key(fields));
  }
};

QTEST_APPLESS_MAIN(TestTorchPickle)
#include "test_torch_pickle.moc"
