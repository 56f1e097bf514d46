// SPDX-License-Identifier: Apache-2.0
// The same compiler in C++: producer_cpp STORE EXPRESSION OPT_LEVEL SIZE
#include <keyhole/base/pool.h>
#include <keyhole/cache/artifact_cache.h>
#include <keyhole/guard/expression.h>
#include <keyhole/key/canonical.h>
#include <keyhole/key/value.h>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  using namespace keyhole;
  if (argc != 5) return 2;
  auto cache = ArtifactCache::open(argv[1]);
  if (!cache) {
    std::cerr << cache.error().line() << '\n';
    return 1;
  }

  const std::string expression = argv[2], level = argv[3];
  KeyBuilder builder("k", "example 1.0");
  if (!builder.add("expression", KeyValue::text(expression)) ||
      !builder.add("options[opt_level]", KeyValue::integer(std::atoi(argv[3]))))
    return 1;
  const auto key = builder.key();
  if (!key) return 1;
  ComponentPool pool;
  std::vector<ComponentPtr> components;
  const std::string texts[] = {expression, level};
  for (std::size_t i = 0; i < builder.parts().size(); ++i)
    components.push_back(pool.intern(builder.parts()[i].name, builder.parts()[i].digest, texts[i]));

  const std::int64_t size = std::atoll(argv[4]);
  const Hints hints({size});
  const auto found = (*cache)->get({.key = *key, .hints = &hints, .components = components});
  if (found.hit()) {
    std::cout << "hit " << found.entry.bytes << '\n';
    return 0;
  }
  std::cout << "miss\n";
  const auto stored = (*cache)->put({.key = *key,
                                     .guard = size <= 128 ? "L['t0'] <= 128" : "L['t0'] > 128",
                                     .bytes = "compiled(" + expression + ", -O" + level + ")",
                                     .components = components,
                                     .cost = 1'000'000'000});
  if (!stored) std::cerr << stored.error().line() << '\n';
  return stored ? 0 : 1;
}
