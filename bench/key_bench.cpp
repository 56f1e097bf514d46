// SPDX-License-Identifier: Apache-2.0
// What a key costs, from the typed values of a real graph (tests/data/golden/fx_details.json). PyTorch's own figures
// for the same: 1.2 ms for the key, 5.5 ms for the lines.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "golden_details.h"
#include "keyhole/guard/expression.h"
#include "keyhole/key/canonical.h"
#include "keyhole/key/debug_line.h"

namespace {

template <class Work>
void measure(const char* what, Work work) {
  std::vector<double> microseconds;
  for (int i = 0; i < 400; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    microseconds.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(microseconds.begin(), microseconds.end());
  std::printf("%-52s median %8.2f us   p99 %8.2f us\n", what, microseconds[200], microseconds[396]);
}

}  // namespace

int main() {
  using namespace keyhole;
  const DetailFields fields = golden_details();
  std::size_t parts = 0, sink = 0;
  measure("canonical key, every component from its value", [&] {
    KeyBuilder builder("f", "producer");
    for (const auto& [name, value] : fields) (void)builder.add_field(name, value);
    parts = builder.parts().size();
    sink += builder.key()->size();
  });
  measure("torch key from the same values", [&] { sink += torch_fx_key(fields).size(); });
  measure("torch components: digests and texts", [&] { sink += torch_components(fields).size(); });
  std::string block;
  for (const auto& line : golden("fx_details")["lines"]) block += line.get<std::string>() + "\n";
  measure("splitting the block of debug lines", [&] { sink += split_debug_lines(block).size(); });
  const auto guard = GuardExpression::parse("L['t0']*L['t1'] <= 2147483647 and 2 <= L['t0'] and 2 <= L['t1']");
  const Hints hints({8, 16});
  measure("one guard of three clauses, evaluated", [&] { sink += *guard->evaluate(hints) ? 1 : 0; });
  std::printf("%zu components, %zu bytes of lines (%zu)\n", parts, block.size(), sink);
}
