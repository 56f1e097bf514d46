// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/hash_details.h"

#include <QTemporaryDir>
#include <QtTest>
#include <filesystem>
#include <fstream>
#include <set>

#include "golden_details.h"

using namespace keyhole;
using V = KeyValue;

namespace {

const V& field(const DetailFields& fields, const std::string& name) {
  for (const auto& [attr, value] : fields)
    if (attr == name) return value;
  throw std::runtime_error("no field " + name);
}

V::Fields entries(const V& map) {
  V::Fields out;
  for (std::size_t i = 0; i + 1 < map.items().size(); i += 2)
    out.emplace_back(map.items()[i].text(), map.items()[i + 1]);
  return out;
}

// The inputs from which PyTorch made the details of the real graph.
FxHashInputs golden_inputs() {
  const DetailFields real = golden_details();
  FxHashInputs in;
  in.gm = field(real, "gm");
  in.example_inputs = field(real, "example_inputs").items();
  in.fx_kwargs = entries(field(real, "fx_kwargs"));
  in.effective_threads = field(real, "cpp_runtime_thread_count").number();
  in.may_generate_cpu_code = true;
  in.torch_key = field(real, "torch_version").text();
  in.inductor_config = entries(field(real, "inductor_config"));
  in.inductor_config_comms = entries(field(real, "inductor_config_comms"));
  for (const V& item : field(real, "custom_backend_passes").items())
    in.backend_passes.push_back(
        {item.is(V::Kind::null) ? CustomPass::Kind::none : CustomPass::Kind::graph_pass, item, {}, {}, false});
  in.pre_grad_early = false;
  in.fuse_ddp.kind = CustomPass::Kind::sequence;
  for (const V& item : field(real, "_fuse_ddp_communication_passes").items())
    in.fuse_ddp.passes.push_back({CustomPass::Kind::name, {}, item.text(), {}, false});
  in.fuse_ddp.tuple = field(real, "_fuse_ddp_communication_passes").is(V::Kind::tuple);
  return in;
}

std::string key(const FxHashInputs& in) {
  return torch_fx_key(fx_hash_details(in));
}

CustomPass callable() {
  return {CustomPass::Kind::callable, {}, {}, {}, false};
}
CustomPass with_id(V id) {
  return {CustomPass::Kind::graph_pass, std::move(id), {}, {}, false};
}

}  // namespace

class TestHashDetails : public QObject {
  Q_OBJECT
 private slots:
  void the_real_key() { QCOMPARE(key(golden_inputs()), golden("fx_details")["key"].get<std::string>()); }

  /// What PyTorch's own sensitivity vectors say: these leave the key alone …
  void unchanged_by() {
    const FxHashInputs base = golden_inputs();
    const std::string same = key(base);
    FxHashInputs in = base;
    std::reverse(in.fx_kwargs.begin(), in.fx_kwargs.end());
    in.fx_kwargs.emplace_back("graph_id", V::integer(7));
    in.fx_kwargs.emplace_back("compile_region_name", V::text("region"));
    QCOMPARE(key(in), same);
    for (const char* name : {"compile_threads", "worker_start_method", "fx_graph_cache", "trace.enabled", "trace",
                             "autotune_remote_cache", "post_grad_custom_pre_pass", "fx_graph_remote_cache_extra"})
      in.inductor_config.emplace_back(name, V::integer(3));
    in.accelerator_index = 1;  // there is a tensor among the inputs
    QCOMPARE(key(in), same);
    FxHashInputs one = base, other = base;
    one.fx_kwargs.emplace_back("names", V::set({V::text("a"), V::text("b")}));
    other.fx_kwargs.emplace_back("names", V::set({V::text("b"), V::text("a")}));
    QCOMPARE(key(one), key(other));
    in = base;
    in.cudagraphs_forward = in.cudagraphs_backward = in.cudagraphs_default;
    QCOMPARE(key(in), same);
  }
  /// … and each of these changes it.
  void changed_by() {
    const FxHashInputs base = golden_inputs();
    std::vector<FxHashInputs> changed(16, base);
    changed[0].cache_key_tag = "x";
    changed[1].deterministic = true;
    changed[2].effective_threads += 1;
    changed[3].default_dtype = "torch.float64";
    changed[4].inductor_config.emplace_back("_private_thing", V::boolean(true));
    changed[5].inductor_config.emplace_back("public_thing", V::boolean(true));
    changed[6].may_generate_cpu_code = false;
    changed[7].cudagraphs_forward = changed[7].cudagraphs_backward = true;
    changed[8].cudagraphs_forward = true;
    changed[9].gpu = GpuInfo{"NVIDIA H200", {}, "cuda", "12.8"};
    changed[10].post_grad_pre = with_id(V::text("id"));
    changed[11].pre_grad_early = true;
    changed[12].hint_overrides.emplace_back("s0", V::integer(3));
    changed[13].triton_sources.push_back({"def k(): pass", V::map(V::Pairs{}), {}});
    changed[14].example_inputs = {V::symbol("s77")};
    changed[15].example_inputs = {V::symbol("s77")};
    changed[15].accelerator_index = 0;
    std::set<std::string> keys = {key(base)};
    for (const FxHashInputs& in : changed) QVERIFY(keys.insert(key(in)).second);
  }
  void opaque_inputs_are_ordinals() {
    FxHashInputs in = golden_inputs();
    in.example_inputs = {V::null(), V::integer(1), V::null(), V::null()};
    in.opaque_identity = {70, -1, 9, 70};
    const V inputs = field(fx_hash_details(in), "example_inputs");
    QCOMPARE(inputs.items()[0].repr(), std::string("HashableOpaqueValue(ordinal=0)"));
    QCOMPARE(inputs.items()[1].repr(), std::string("1"));
    QCOMPARE(inputs.items()[2].repr(), std::string("HashableOpaqueValue(ordinal=1)"));
    QCOMPARE(inputs.items()[3].repr(), inputs.items()[0].repr());
  }
  void bypass_reasons() {
    const auto& reasons = golden("bypass")["bypass_reasons"];
    const auto check = [&](const char* name, const FxHashInputs& in, const BypassFacts& facts) {
      const auto got = fx_bypass_reason(in, facts);
      QVERIFY2((got ? nlohmann::json(*got) : nlohmann::json()) == reasons[name], name);
    };
    FxHashInputs in;
    BypassFacts facts;
    check("ok", in, facts);
    facts.has_shape_environment = false;
    check("no shape env", in, facts);
    facts = {};
    in.post_grad_pre = callable();
    check("post_grad_custom_pre_pass", in, facts);
    in = {};
    in.joint_post = with_id(V::null());
    check("joint_custom_post_pass", in, facts);
    in = {};
    in.pre_grad = callable();
    check("pre_grad_custom_pass default timing (early)", in, facts);
    in = {};
    in.pre_fusion = callable();
    check("_pre_fusion_custom_pass", in, facts);
    in = {};
    in.post_fusion = callable();
    check("_post_fusion_custom_pass", in, facts);
    in = {};
    in.fuse_ddp = {CustomPass::Kind::sequence, {}, {}, {callable()}, false};
    check("_fuse_ddp_communication_passes", in, facts);
    in.fuse_ddp.passes = {{CustomPass::Kind::name, {}, "schedule_comm_wait", {}, false}};
    check("_fuse_ddp_communication_passes strings ok", in, facts);
    in = {};
    facts.runtime_constant_folding = true;
    check("runtime constant folding", in, facts);
    facts = {};
    facts.frozen_parameters = true;
    check("frozen", in, facts);
    facts = {};
    facts.bisecting = true;
    check("bisector", in, facts);
    facts = {};
    facts.backward_state = true;
    check("backward state input", in, facts);
    facts = {};
    facts.mkldnn_tensor = true;
    check("mkldnn input", in, facts);
    facts = {};
    facts.higher_order_operators = {"flex_attention", "golden_hop"};
    check("hop", in, facts);
    facts.cacheable_by_user = {reasons["hop allow-list name"].get<std::string>()};
    check("hop allow-listed", in, facts);
    for (const auto& entry : reasons["registered_hops_cacheable"]) {
      const std::string text = entry, name = text.substr(0, text.find('='));
      QVERIFY2(higher_order_operator_cacheable(name) == text.ends_with("=True"), name.c_str());
    }
  }
  void code_tree() {
    const auto& example = golden("hash")["build_code_hash_example"];
    const QTemporaryDir folder;
    const std::filesystem::path root = folder.path().toStdString();
    for (const auto& [name, text] : example["files"].items()) {
      std::filesystem::create_directories((root / name).parent_path());
      std::ofstream(root / name) << text.get<std::string>();
    }
    QCOMPARE(build_code_hash({root.string()})->hex(), example["digest_hex_prefix_empty"].get<std::string>());
    QCOMPARE(build_code_hash({root.string()}, "pre.")->hex(), example["digest_hex_prefix_pre."].get<std::string>());
    QCOMPARE(build_code_hash({(root / "missing").string()}).error().kind, ErrorKind::io);
    const Digest sources = build_source_hash({root.string()}).value();
    std::ofstream(root / "b_pkg" / "k.cu") << "__global__";
    QVERIFY(build_source_hash({root.string()}).value() != sources);
    QCOMPARE(build_code_hash({root.string()})->hex(), example["digest_hex_prefix_empty"].get<std::string>());
  }
};

QTEST_APPLESS_MAIN(TestHashDetails)
#include "test_hash_details.moc"
