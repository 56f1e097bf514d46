// SPDX-License-Identifier: Apache-2.0
#include "silence.h"

#include <fmt/format.h>

#include <algorithm>

#include "format.h"

namespace keyhole::cli {
namespace {

constexpr std::size_t kCompilesRead = 1000;
constexpr std::size_t kReasonWidth = 120;

bool failed(const CompileRow& row) {
  // What Dynamo gave up for another attempt is told by that one.
  return !row.record.fail_reason.empty() && row.record.fail_reason.rfind("started over", 0) != 0;
}

std::string first_line(const std::string& text) {
  return printable(shorten(text.substr(0, text.find('\n')), kReasonWidth));
}

}  // namespace

std::string why_no_lookups(Reader& reader, const RunRow& run) {
  const auto compiles = reader.compiles(run.id, kCompilesRead);
  if (!compiles || compiles->empty())
    return "no compile is recorded either: torch.compile was not reached or is switched off (TORCH_COMPILE_DISABLE, "
           "TORCHDYNAMO_DISABLE, set_stance), or a log lacks the lines of the caches "
           "(TORCH_LOGS=\"+torch._inductor.codecache\")";
  const auto bad = std::find_if(compiles->begin(), compiles->end(), failed);
  const auto count = std::count_if(compiles->begin(), compiles->end(), failed);
  const auto finished = std::count_if(compiles->begin(), compiles->end(),
                                      [](const CompileRow& c) { return c.record.finished && !failed(c); });
  if (finished > 0)
    return fmt::format(
        "{} asked no cache: only the backend inductor has caches (eager, aot_eager and backends of your own have "
        "none), and a frame without a graph needs none{}",
        count_text(finished, "compile"),
        count > 0 ? fmt::format("; {} more failed: {}", count, first_line(bad->record.fail_reason)) : "");
  if (count > 0)
    return fmt::format("{} failed before a cache was asked: {}", count_text(count, "compile"),
                       first_line(bad->record.fail_reason));
  return fmt::format("{} had begun and had not ended when the record stops",
                     count_text(static_cast<std::int64_t>(compiles->size()), "compile"));
}

}  // namespace keyhole::cli
