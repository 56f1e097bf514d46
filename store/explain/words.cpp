// SPDX-License-Identifier: Apache-2.0
#include "words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <utility>

#include "graph_text.h"

namespace keyhole::explain_detail {
namespace {

std::string arrow(const std::string& before, const std::string& after, std::size_t limit) {
  const std::string a = shorten(before, limit);
  const std::string b = shorten(after, limit);
  if (before.empty() && after.empty()) return {};
  return (before.empty() ? std::string("(none)") : a) + " → " + (after.empty() ? std::string("(none)") : b);
}

/// A size that stands as a symbol in a shape as PyTorch prints it: s77 or u0 in "[s77, 16]".
bool has_symbol(std::string_view shape) {
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) {
    const bool begins = i == 0 || std::isalnum(static_cast<unsigned char>(shape[i - 1])) == 0;
    if (begins && (shape[i] == 's' || shape[i] == 'u') && std::isdigit(static_cast<unsigned char>(shape[i + 1])) != 0)
      return true;
  }
  return false;
}

bool is_input(const Cause& c) {
  return c.component.rfind("example_inputs[", 0) == 0;
}

std::string tell_graph(const Cause& c, const Causes& all, std::size_t width) {
  if (all.inputs_before != all.inputs_after) {
    // What stands behind the program (modes, flags) goes before what it did to the graph.
    const bool setting = all.graph_story.size() > 2 && all.graph_story.substr(all.graph_story.size() - 2) == "; ";
    std::string out = "gm: " + (setting ? all.graph_story : std::string()) + "the graph takes " +
                      std::to_string(all.inputs_before) + " → " + std::to_string(all.inputs_after) + " inputs" +
                      all.graph_counts;
    if (!c.after.empty() && c.before.empty())
      out += ", first `" + shorten(c.after, width) + "`";
    else if (!c.before.empty() && c.after.empty())
      out += ", without `" + shorten(c.before, width) + "`";
    else if (const auto [before, after] = in_sight(c.before, c.after, width); !after.empty())
      out += ": `" + before + "` → `" + after + "`";
    return out;
  }
  std::string out = "gm: " + all.graph_story;
  if (c.before.empty() && c.after.empty()) {
    const bool told = all.graph_story.find(" → ") != std::string::npos;
    return out + (all.graph_story.empty() ? "the graph changed" : told ? "" : " changed");
  }
  const bool told = all.graph_story.rfind("added ", 0) == 0 || all.graph_story.rfind("removed ", 0) == 0;
  if (c.before.empty()) return out + (told ? "`" : "added `") + shorten(c.after, width) + "`" + all.graph_counts;
  if (c.after.empty()) return out + (told ? "`" : "removed `") + shorten(c.before, width) + "`" + all.graph_counts;
  const auto [before, after] = in_sight(c.before, c.after, width);
  return out + "`" + before + "` → `" + after + "`" + all.graph_counts;
}

std::string tell_one(const Cause& c, const std::string& aspect, const Causes& all, std::size_t width) {
  if (c.component == "gm") return tell_graph(c, all, width);
  std::string what = c.component;
  if (!aspect.empty()) what += ' ' + aspect;
  if (is_input(c) && c.cause_class == "order")
    return "the same inputs in another order: " + c.component + ' ' + arrow(c.before, c.after, width);
  std::string change = arrow(c.before, c.after, width);
  if (c.component == "torch_version" && change.empty())
    return what + ": PyTorch differs" + (c.note.empty() ? "" : " (" + c.note + ")");
  if (change.empty()) return what + " changed" + (c.note.empty() ? "" : " (" + c.note + ")");
  if (c.cause_class == "instability:rank") return what + " holds a rank, another one in every process: " + change;
  if (c.cause_class == "instability:order") return what + " has another order in every run: " + change;
  if (c.cause_class.rfind("instability:", 0) == 0)
    return what +
           (c.cause_class == "instability:uuid" ? " holds an identifier (uuid)"
                                                : " holds a " + c.cause_class.substr(12)) +
           ", new in every run: " + change;
  if (!c.note.empty() && (c.component == "fx_kwargs[is_inference]")) return what + ' ' + change + " (" + c.note + ")";
  return what + ' ' + change;
}

}  // namespace

std::string tell_causes(const Causes& all, std::size_t limit) {
  // Inputs that changed alike are told once.
  struct Piece {
    std::string text;
    std::size_t causes = 1;
  };
  std::size_t roots = 0;
  for (const Cause& c : all.causes) roots += c.role == Role::root ? 1 : 0;
  for (const std::size_t width : {90U, 60U, 44U, 32U, 24U}) {
    std::vector<Piece> pieces;
    std::map<std::string, std::size_t> alike;
    std::string attribute;
    std::string cause_class;
    for (std::size_t i = 0; i < all.causes.size(); ++i) {
      const Cause& c = all.causes[i];
      if (c.role != Role::root) continue;
      if (is_input(c)) {
        const std::string key =
            all.aspects[i] + '\x1f' + (all.aspects[i] == "shape" ? std::string() : c.before + '\x1f' + c.after);
        if (const auto found = alike.find(key); found != alike.end()) {
          ++pieces[found->second].causes;
          continue;
        }
        alike.emplace(key, pieces.size());
      }
      const bool has_words = i < all.told.size() && !all.told[i].empty();
      Piece piece{has_words ? shorten(all.told[i], 2 * width) : tell_one(c, all.aspects[i], all, width)};
      // Of several flags of one configuration the first is told whole.
      const std::size_t open = c.component.find('[');
      if (!has_words && open != std::string::npos && c.component.substr(0, open) == attribute &&
          c.cause_class == cause_class)
        piece.text.erase(0, open);
      attribute = open == std::string::npos || is_input(c) ? std::string() : c.component.substr(0, open);
      cause_class = c.cause_class;
      pieces.push_back(std::move(piece));
    }
    std::string out;
    std::size_t told = 0;
    const std::size_t follow = all.causes.size() - roots;
    const std::string tail =
        follow == 0 ? "" : "; " + std::to_string(follow) + (follow == 1 ? " consequence" : " consequences");
    bool all_fit = true;
    for (const Piece& p : pieces) {
      std::string piece = p.text;
      if (p.causes > 1) piece += " (" + std::to_string(p.causes) + " inputs changed)";
      const std::string rest = "; " + std::to_string(roots - told - p.causes) + " more";
      const std::size_t reserve = characters(tail) + (told + p.causes < roots ? characters(rest) : 0);
      if (characters(out) + 2 + characters(piece) + reserve > limit) {
        all_fit = false;
        break;
      }
      out += (out.empty() ? "" : "; ") + piece;
      told += p.causes;
    }
    if (!all_fit && width > 24) continue;
    if (!all.graph_program.empty() && roots == 1) {
      const std::string program = "; in the program " + all.graph_program;
      if (characters(out) + characters(program) + characters(tail) <= limit) out += program;
    }
    if (told < roots) out += (out.empty() ? "" : "; ") + std::to_string(roots - told) + " more";
    return shorten(out + tail, limit);
  }
  return {};
}

std::string fix_of_cause(const Cause& c) {
  const std::string& cls = c.cause_class;
  if (c.note.rfind(kPrecompile, 0) == 0)
    return "start from the package that caching_precompile saves (DynamoCache), or switch it off: with it "
           "AOTAutograd's own cache cannot hit";
  const auto is = [&](std::string_view s) { return cls == s; };
  if (cls.rfind("instability:", 0) == 0) {
    const std::string kind = cls.substr(12);
    if (c.component == "cache_key_tag")
      return "take the " + kind +
             " out of TORCH_COMPILE_CACHE_KEY_TAG (torch.compiler.config.cache_key_tag): a tag is for what must not be "
             "shared";
    if (kind == "pointer") return "give the object a stable name or uuid(): its address differs in every process";
    if (kind == "order") return "sort it: the order of a set differs in every process (PYTHONHASHSEED)";
    return "take the " + kind + " out of " + c.component + ": it differs in every run";
  }
  if (is("shape") && has_symbol(c.after) && has_symbol(c.before))
    return "compile with the same dynamic sizes as in the warm-up (mark_dynamic, mark_unbacked, dynamic=), or warm up "
           "this way too";
  if (is("shape") && has_symbol(c.after) && !has_symbol(c.before))
    return "a size that was fixed in the warm-up is a symbol now: warm up the same way (dynamic=True, mark_dynamic, or "
           "two sizes where Dynamo finds out by itself)";
  if (is("shape") && has_symbol(c.before) && !has_symbol(c.after))
    return "a size that was a symbol in the warm-up is fixed now: compile the same way (dynamic=True, mark_dynamic), "
           "or "
           "warm up with this size";
  if (is("shape"))
    return "warm up with this shape too, pad to the shapes of the warm-up, or mark the size dynamic "
           "(torch._dynamo.mark_dynamic, dynamic=True)";
  if (is("stride"))
    return "pass inputs of the same memory layout (.contiguous(), or the same memory_format as in the warm-up)";
  if (is("dtype")) return "use the same dtype as in the warm-up, or warm up with this one";
  if (is("device")) return "warm up on this kind of device";
  if (is("requires_grad")) return "keep requires_grad as in the warm-up, or warm up both ways";
  if (is("grad_mode"))
    return "run under the same grad mode as in the warm-up (torch.no_grad, inference_mode), or warm up both";
  if (is("constant")) return "make the value an input (a tensor argument or buffer) if it is meant to change";
  if (is("graph") && c.note.rfind(kSettingBehind, 0) == 0) return "set it back, or warm up with this setting";
  if (is("graph"))
    return c.component == "aot_config" || c.note.rfind(kNamesOnly, 0) == 0
               ? "renamed variables make a new AOTAutograd key; the compiled code within is reused"
               : "the program changed: warm up again with it";
  if (c.component == "cuda_matmul_settings")
    return "set torch.set_float32_matmul_precision and torch.backends.cuda.matmul.allow_* as in the warm-up";
  if (is("config"))
    return c.component.rfind("inductor_config", 0) == 0 || c.component.rfind("fx_kwargs", 0) == 0
               ? "set it back, or record a warm run with it"
               : "set it back, or warm up with this setting";
  if (is("env")) return "set the variable as in the warm-up";
  if (is("custom_pass") && (c.before.empty() || c.before == "None"))
    return "the pass was not set in the warm-up: warm up again with it";
  if (is("custom_pass") && (c.after.empty() || c.after == "None"))
    return "the pass was set in the warm-up: set it again, or warm up without it";
  if (is("custom_pass")) return "the pass has another uuid: keep it while the pass does the same, or warm up again";
  if (is("version")) return "warm up again with this version of PyTorch; caches of another one are never used";
  if (is("threads"))
    return "set the same number of threads (torch.set_num_threads, OMP_NUM_THREADS, the container's CPU limit) as in "
           "the warm-up";
  if (is("determinism"))
    return "use the same deterministic mode as in the warm-up (torch.use_deterministic_algorithms)";
  if (is("tag"))
    return "set TORCH_COMPILE_CACHE_KEY_TAG as in the warm-up: a new tag starts an empty cache" +
           (c.note.rfind(kEachRun, 0) == 0 ? "; " + c.note.substr(0, c.note.find(';')) : std::string());
  if (is("default_dtype")) return "call torch.set_default_dtype as in the warm-up";
  if (is("order")) return "keep the order (of arguments, dict entries, modules) as in the warm-up";
  if (is("kernel_source")) return "the kernel's source changed: warm up again with it";
  return {};
}

std::string fix_of_causes(const std::vector<Cause>& causes) {
  const Cause& first = causes.front();
  if (first.component != "gm" || first.cause_class != "graph") return fix_of_cause(first);
  // Sizes that became symbols, or stopped being ones, enter the graph as inputs of their own.
  bool before = false;
  bool after = false;
  for (const Cause& c : causes) {
    if (!is_input(c) || c.cause_class != "shape") continue;
    before |= has_symbol(c.before);
    after |= has_symbol(c.after);
  }
  if (before == after) return fix_of_cause(first);
  return after ? "sizes or numbers that were fixed in the warm-up are symbols now: if the program is the same, warm up "
                 "the same way (dynamic=, mark_dynamic, the number of sizes seen)"
               : "sizes or numbers that were symbols in the warm-up are fixed now: if the program is the same, compile "
                 "the same way (dynamic=, mark_dynamic, the number of sizes seen)";
}

std::string fix_of_verdict(Verdict v) {
  switch (v) {
    case Verdict::never_seen:
      return "nothing to compare with yet: the next run with the same program can hit";
    case Verdict::identity_only:
      return "compare the two processes' Python objects: what differs enters the key without a component of its own";
    case Verdict::components_not_recorded:
      return "run with TORCH_LOGS=\"+torch._functorch._aot_autograd.autograd_cache\": AOTAutograd then records what "
             "its key is made of";
    case Verdict::guard_failed:
      return "warm up with a size on this side of the guard too, or take the branch on the size out of the compiled "
             "function";
    case Verdict::env_validation:
      return "the entry was made with other external libraries: warm up on this machine";
    case Verdict::entry_unreadable:
      return "remove the damaged entry (PyTorch does not), so that a new one replaces it";
    case Verdict::dependent_missing:
      return "keep fxgraph/ and aotautograd/ together when cleaning, copying or restoring the cache folder";
    case Verdict::never_saved:
      return "make the cache folder writable for the warm-up";
    case Verdict::evicted:
      return "keep the cache folder between runs, or restore it (torch.compiler.save_cache_artifacts)";
    case Verdict::other_location:
      return "use the same cache folder (TORCHINDUCTOR_CACHE_DIR)";
    case Verdict::io_error:
      return "check permissions, free space and locks of the cache folder";
    case Verdict::race:
      return "let one process warm up before the others start, or share the result (a shared cache folder or tier)";
    case Verdict::autotune_miss:
      return "keep the autotune results with the graph cache (the whole cache folder)";
    case Verdict::recompile:
      return "mark the size dynamic, or keep what the guard checks constant between calls";
    case Verdict::hit:
    case Verdict::cache_off:
    case Verdict::bypass:
    case Verdict::key_differs:
    case Verdict::unknown:
      break;
  }
  return {};
}

}  // namespace keyhole::explain_detail
