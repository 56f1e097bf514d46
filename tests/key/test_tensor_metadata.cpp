// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/tensor_metadata.h"

#include <QtTest>

#include "golden.h"

using namespace keyhole;

namespace {
const std::string kTail =
    ", layout=torch.strided, memory_format=torch.contiguous_format, storage_offset=0, storage_bytes=None, "
    "requires_grad=False, is_quantized=False, is_conj=False, is_neg=False, is_inference=False, is_sparse=False, "
    "is_coalesced=None, dense_dim=None, sparse_dim=None)";
std::string metadata(const std::string& shape, const std::string& stride, const std::string& device = "type='cpu'") {
  return "TensorMetadata(dtype=torch.float32, shape=torch.Size(" + shape + "), stride=" + stride + ", device=device(" +
         device + ")" + kTail;
}
}  // namespace

class TestTensorMetadata : public QObject {
  Q_OBJECT
 private slots:
  void reads_the_fields() {
    const auto got = parse_tensor_metadata(metadata("[8, 16]", "(16, 1)", "type='cuda', index=1"));
    QVERIFY(got);
    const TensorMetadata& m = got->metadata;
    QCOMPARE(m.dtype, std::string("torch.float32"));
    QCOMPARE(m.shape_text(), std::string("[8, 16]"));
    QCOMPARE(m.stride_text(), std::string("(16, 1)"));
    QCOMPARE(m.shape[1].value, std::int64_t{16});
    QCOMPARE(m.device_text(), std::string("cuda:1"));
    QCOMPARE(m.memory_format, std::string("torch.contiguous_format"));
    QVERIFY(!m.storage_bytes && !m.is_coalesced && m.unknown.empty());
    QCOMPARE(m.fields().size(), 17u);
  }
  void symbols_stay_as_printed() {
    const std::string text = metadata("[s77, 3*s27, Max(1, s0)]", "(3*s27*Max(1, s0), Max(1, s0), 1)");
    const auto got = parse_tensor_metadata(text);
    QVERIFY(got);
    QCOMPARE(got->metadata.shape.size(), 3u);
    QVERIFY(got->metadata.shape[2].symbolic());
    QCOMPARE(got->metadata.shape[2].symbol, std::string("Max(1, s0)"));
    QCOMPARE(got->metadata.shape_text(), std::string("[s77, 3*s27, Max(1, s0)]"));
    QCOMPARE(got->metadata.text(), text);
    QCOMPARE(parse_symbol_text("('s77',)").value_or(""), std::string_view("s77"));
    QCOMPARE(parse_symbol_text("('s27*s77',)").value_or(""), std::string_view("s27*s77"));
    for (const char* bad : {"s77", "('',)", "('a','b',)", "(1,)"}) QVERIFY(!parse_symbol_text(bad));
  }
  void a_field_of_a_later_version_is_kept() {
    std::string text = metadata("[2]", "(1,)");
    text.replace(text.size() - 1, 1, ", is_nested=True, extra=Foo(a=1, b=[2, 3]))");
    const auto got = parse_tensor_metadata(text);
    QVERIFY(got);
    QCOMPARE(got->metadata.unknown.size(), 2u);
    QCOMPARE(got->metadata.unknown[1].second, std::string("Foo(a=1, b=[2, 3])"));
    QCOMPARE(got->metadata.text(), text);
  }
  void refuses_what_is_cut_or_something_else() {
    const std::string whole = metadata("[8, 16]", "(16, 1)");
    for (std::size_t n = 0; n < whole.size(); ++n) QVERIFY(!parse_tensor_metadata(whole.substr(0, n)));
    for (const char* bad :
         {"", "TensorMetadata()", "TensorMetadata(x)", "('s77',)", "TensorMetadata(shape=8)",
          "TensorMetadata(requires_grad=1)", "TensorMetadata(dense_dim=x)", "TensorMetadata(shape=torch.Size([1)])"})
      QVERIFY2(!parse_tensor_metadata(bad), bad);
  }
  /// Every text of PyTorch is read and printed again byte for byte.
  void golden_texts() {
    int seen = 0, with_values = 0;
    for (const auto& vector : golden("tensor_metadata")["tensor_metadata"]) {
      for (const char* name : {"str", "str_unstripped", "reduce_str", "agnostic_reduce_str"}) {
        if (!vector.contains(name) || !vector[name].is_string()) continue;
        const std::string text = vector[name];
        const auto got = parse_tensor_metadata(text);
        QVERIFY2(got, text.c_str());
        QVERIFY(got->metadata.unknown.empty());
        std::string again = got->metadata.text();
        if (!got->values.empty())
          again = "TensorMetadataAndValues(tensor_metadata=" + again + ", values=" + std::string(got->values) + ")";
        with_values += !got->values.empty();
        if (text.front() == '(') again = "(" + again + ",)";
        QCOMPARE(again, text);
        ++seen;
      }
    }
    QVERIFY(seen >= 40 && with_values >= 10);
  }
};

QTEST_APPLESS_MAIN(TestTensorMetadata)
#include "test_tensor_metadata.moc"
