// SPDX-License-Identifier: Apache-2.0
#include "bypass.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace keyhole::explain_detail {
namespace {

struct Advice {
  std::string_view part;  ///< of the reason
  std::string_view fix;
};
// Reasons of torch/_inductor/codecache.py (_check_can_cache, _check_for_hop, _check_frozen_params, FxGraphCachePickler)
// and torch/_functorch/_aot_autograd/autograd_cache.py (check_cacheable, check_node_safe) of PyTorch 2.13. The first
// that fits.
constexpr std::array<Advice, 37> kAdvice = {{
    {"force_disable_caches",
     "set torch.compiler.config.force_disable_caches = False; unset TORCHINDUCTOR_FORCE_DISABLE_CACHES"},
    {"enable_autograd_cache is False",
     "set torch._functorch.config.enable_autograd_cache = True (TORCHINDUCTOR_AUTOGRAD_CACHE=1)"},
    {"fx_graph_cache is False", "set torch._inductor.config.fx_graph_cache = True (TORCHINDUCTOR_FX_GRAPH_CACHE=1)"},
    {"with_effects", "take the side effect (print, a torchbind call) out of the compiled function"},
    {"function name: print", "take the print out of the compiled function"},
    {"autograd_function_apply",
     "set torch._functorch.config.autograd_cache_allow_custom_autograd_functions = True if the code of the "
     "autograd.Function is stable"},
    {"HigherOrderOperator",
     "move the operator out of the compiled function, or let a graph break separate it: the rest of the program then "
     "is cached"},
    {"higher_order",
     "move the operator out of the compiled function, or let a graph break separate it: the rest of the program then "
     "is cached"},
    {"SAC context_fn", "give the context_fn of checkpoint() an attribute cache_hash that names its policy"},
    {"freezing",
     "switch inductor_config[freezing] off (TORCHINDUCTOR_FREEZING=0; mode=\"max-autotune\" on CPU sets it), or accept "
     "the compile"},
    {"frozen constants", "switch inductor_config[freezing] off (TORCHINDUCTOR_FREEZING=0)"},
    {"mkldnn", "switch freezing off (inductor_config[freezing]=False), or torch.backends.mkldnn.enabled = False"},
    {"custom pass", "derive the pass from torch._inductor.custom_graph_pass.CustomGraphPass and give it a uuid()"},
    {"custom_pass", "derive the pass from torch._inductor.custom_graph_pass.CustomGraphPass and give it a uuid()"},
    {"fusion_custom_pass",
     "derive the pass from torch._inductor.custom_graph_pass.CustomSchedulerPass and give it a uuid()"},
    {" pass", "give the custom pass a uuid()"},
    {"FX graph cache is not enabled",
     "set torch._inductor.config.fx_graph_cache = True (TORCHINDUCTOR_FX_GRAPH_CACHE=1)"},
    {"constant folding", "switch inductor_config[aot_inductor.use_runtime_constant_folding] off"},
    {"bisector", "end the compiler bisector (TORCH_BISECT_BACKEND)"},
    {"No shape env", "compile through torch.compile: direct calls of the backend have no shape environment"},
    {"torchbind", "keep torchbind objects out of the compiled function"},
    {"allow_in_graph", "drop allow_in_graph from the function, or make it a custom operator (torch.library.custom_op)"},
    {"custom autograd",
     "set torch._functorch.config.autograd_cache_allow_custom_autograd_functions = True if their code is stable"},
    {"autograd function",
     "set torch._functorch.config.autograd_cache_allow_custom_autograd_functions = True if their code is stable"},
    {"autograd.Function",
     "set torch._functorch.config.autograd_cache_allow_custom_autograd_functions = True if their code is stable"},
    {"_enter_autocast",
     "put torch.autocast around the call of the compiled function, not within it: AOTAutograd caches no graph that "
     "enters it"},
    {"torch._dynamo.utils, Function name: wrapped_",
     "AOTAutograd does not cache NumPy code: write it with functions of torch"},
    {"Unsupported call_function target",
     "make the function a custom operator (torch.library.custom_op): those are cached by name"},
    {"Unsupported call_method", "call a function of torch in its place"},
    {"tensor subclass", "give the tensor subclass a method _stable_hash_for_caching"},
    {"saved tensor hooks", "give the hooks a cache hash, or take them off around the compiled call"},
    {"compiled autograd",
     "compiled autograd graphs are not cached; switch torch._dynamo.config.compiled_autograd off where it is not "
     "needed"},
    {"ahead-of-time mode",
     "AOTInductor makes no use of the cache: keep the package that it makes; of a device's backend its documentation "
     "tells"},
    {"subclass", "give the tensor subclass a method _stable_hash_for_caching"},
    {"was not found as",
     "define the class at the top level of a module that can be imported: it is pickled by its name"},
    {"Can't get local object",
     "define it at the top level of a module that can be imported: it is pickled by its name"},
    {"pickle", "take the object that cannot be pickled out of the graph's options (a lambda, a local class)"},
}};

// What a guard's failure says, as torch/csrc/dynamo/guards.cpp and torch/_dynamo/guards.py of PyTorch 2.13 write it.
// The first that fits.
constexpr std::array<Advice, 22> kRecompile = {{
    {"recompile_limit", "keep what the guard checks constant, or raise torch._dynamo.config.recompile_limit"},
    {"recompile limit", "keep what the guard checks constant, or raise torch._dynamo.config.recompile_limit"},
    {"requires_grad mismatch",
     "call with the same requires_grad each time (the first input often has none, what follows has), or expect a "
     "compile of each"},
    {"dtype mismatch", "call with one dtype, or expect a compile of each"},
    {"stride mismatch", "call with one memory layout (.contiguous())"},
    {"rank mismatch", "call with the same number of dimensions, or expect a compile of each"},
    {"dispatch key set mismatch", "call with tensors of one kind (device, subclass, inference mode, functorch level)"},
    {"size mismatch", "mark the size dynamic (torch._dynamo.mark_dynamic, dynamic=True), or pad to one size"},
    {" <= ",
     "the compiled code holds for sizes on one side of the guard: take the branch on the size out of the compiled "
     "function, or expect a compile of each side"},
    {".size()", "mark the size dynamic (torch._dynamo.mark_dynamic, dynamic=True), or pad to one size"},
    {"grad_mode", "call under one grad mode (torch.no_grad, inference_mode), or expect a compile of each"},
    {"GLOBAL_STATE changed",
     "keep PyTorch's global modes (grad mode, autocast, threads, determinism) the same between calls"},
    {"___check_global_state",
     "keep PyTorch's global modes (grad mode, autocast, threads, determinism) the same between calls"},
    {"len(", "call with containers of one length, or pass one tensor in their place"},
    {"___check_obj_id", "pass the same object each time: create it once, outside the loop"},
    {"___check_type_id", "call with values of one type"},
    {" == '", "each value of it is compiled by itself: expect one compile of each"},
    {" == \"", "each value of it is compiled by itself: expect one compile of each"},
    {" == None", "each value of it is compiled by itself: expect one compile of each"},
    {" == True", "each value of it is compiled by itself: expect one compile of each"},
    {" == False", "each value of it is compiled by itself: expect one compile of each"},
    {" == ",
     "pass the value as a tensor, or keep it constant: each value of a Python number is compiled anew until "
     "Dynamo makes it dynamic"},
}};

bool contains_folded(std::string_view text, std::string_view part) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  for (std::size_t i = 0; i + part.size() <= text.size(); ++i) {
    std::size_t k = 0;
    while (k < part.size() && lower(text[i + k]) == lower(part[k])) ++k;
    if (k == part.size()) return true;
  }
  return false;
}

}  // namespace

std::string normalise_reason(std::string_view reason) {
  std::string out;
  for (std::size_t i = 0; i < reason.size();) {
    if (reason.substr(i, 2) == "0x") {
      std::size_t n = 2;
      while (i + n < reason.size() && std::isxdigit(static_cast<unsigned char>(reason[i + n])) != 0) ++n;
      if (n > 5) {
        if (out.size() >= 4 && out.compare(out.size() - 4, 4, " at ") == 0) {
          out.resize(out.size() - 4);
        } else {
          out += "0x…";
        }
        i += n;
        continue;
      }
    }
    if (reason.substr(i, 3) == "id=" || reason.substr(i, 3) == "id:") {
      std::size_t n = 3;
      while (i + n < reason.size() && std::isdigit(static_cast<unsigned char>(reason[i + n])) != 0) ++n;
      if (n > 7) {
        out += "id=…";
        i += n;
        continue;
      }
    }
    if (constexpr std::string_view kClass = "<class '"; reason.substr(i, kClass.size()) == kClass) {
      const std::size_t end = reason.find("'>", i);
      if (end != std::string_view::npos) {
        out += reason.substr(i + kClass.size(), end - i - kClass.size());
        i = end + 2;
        continue;
      }
    }
    const char c = reason[i++];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += c;
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

namespace {

/// "0/0: " or "!1/0/2_1: ".
bool begins_with_id(std::string_view text) {
  const std::size_t colon = text.find(": ");
  return colon != std::string_view::npos && colon < 16 && text.find_first_not_of("!0123456789/_") == colon;
}

}  // namespace

std::string recompile_sentence(std::string_view reason) {
  // "0/0: k == 8  # def f(x, k): return x * k  # train.py:16 in f", then the stack on further lines.
  const std::string_view stack = "User stack trace:";
  reason = reason.substr(0, reason.find(stack));
  // A line for each earlier compile of the frame, the newest first.
  for (std::size_t line = reason.find('\n'); line != std::string_view::npos; line = reason.find('\n', line + 1)) {
    if (!begins_with_id(reason.substr(line + 1))) continue;
    reason = reason.substr(0, line);
    break;
  }
  std::string text = normalise_reason(reason);
  const std::size_t colon = text.find(": ");
  const bool by_id = begins_with_id(text);
  const std::size_t code = text.find(" # ", by_id ? colon : 0);
  if (!by_id || code == std::string::npos) return text;
  std::string guard = text.substr(colon + 2, code - colon - 2);
  while (!guard.empty() && guard.back() == ' ') guard.pop_back();
  std::string where = text.substr(code + 3);
  // Of several lines that asked for the guard the first.
  for (const std::string_view more : {" (user code shown", ") and "})
    where.erase(std::min(where.find(more), where.size()));
  // The place last, and of its path the file's name.
  if (const std::size_t place = where.rfind(" # "); place != std::string::npos) {
    std::string file = where.substr(place + 3);
    file.erase(std::min(file.find(" ("), file.size()));  // where in PyTorch the guard was made
    file.erase(0, file.find_last_of('/') + 1);
    where = where.substr(0, place) + " (" + file + ')';
  }
  if (where.rfind("(_dynamo/", 0) == 0) where.clear();  // asked for by PyTorch itself, for no line of the program
  return "the guard `" + guard + "` of compile " + text.substr(0, colon) + " failed" + (where.empty() ? "" : ": ") +
         where;
}

std::string fix_of_recompile(std::string_view reason) {
  for (const Advice& a : kRecompile) {
    if (contains_folded(reason, a.part)) return std::string(a.fix);
  }
  return {};
}

std::string fix_of_bypass(std::string_view reason) {
  for (const Advice& a : kAdvice) {
    if (contains_folded(reason, a.part)) return std::string(a.fix);
  }
  return {};
}

bool says_cache_off(std::string_view reason) {
  return contains_folded(reason, "cache is not enabled") || contains_folded(reason, "caches are disabled") ||
         contains_folded(reason, "force_disable_caches");
}

}  // namespace keyhole::explain_detail
