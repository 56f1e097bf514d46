// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "keyhole/ingest/inductor_entry.h"
#include "keyhole/ingest/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhole;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto document = pickle::Document::parse(input, {100'000});
  if (document.consumed() > size) std::abort();
  if (document.problem() && document.problem()->offset > size) std::abort();
  if (document.root().display(300).size() > 303) std::abort();
  (void)document.root().attribute("guards_expr").text();
  for (const auto& c : document.callables()) {
    if (c.offset >= size) std::abort();
  }
  ComponentPool pool;
  EntryRecord fx, aot;
  const auto fx_result = decode_fx_entry(input, pool, fx);
  (void)decode_aot_entry(input, pool, aot);
  if (fx.state == EntryState::ok && fx_result.error_offset >= 0) std::abort();
  if (document.problem() && fx.state == EntryState::ok) std::abort();
  return 0;
}
