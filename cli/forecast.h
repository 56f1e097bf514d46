// SPDX-License-Identifier: Apache-2.0
// What a run would find if it were started again in this environment: judged by the variables that enter its keys, the
// version of PyTorch, and what the cache folder holds. What the program itself sets or computes is taken to be as it
// was.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/db/rows.h"

namespace keyhole {
class Reader;
}

namespace keyhole::cli {

/// A variable that sets a member of Inductor's configuration.
struct ConfigVariable {
  const char* variable;
  const char* member;  ///< "cpp.min_chunk_size", as in inductor_config[…]
  bool flag;           ///< "1" is True, all else False; otherwise the text is the value
  const char* when_unset;
};
std::span<const ConfigVariable> config_variables();

struct Surroundings {
  std::map<std::string, std::string> variables;
  std::string torch;      ///< "2.13.0"; empty: not known
  std::string cache_dir;  ///< where a cache would be looked for; empty: not known
};
/// As a run was recorded. Absent: its environment was not (it was imported).
std::optional<Surroundings> surroundings_of(const RunRow& run, const std::vector<ProcessRow>& processes);
/// Here and now: `environment_json` as environment_json() gives it; PyTorch of the virtual environment, or of the first
/// python3 on PATH.
Surroundings surroundings_here(const std::string& environment_json, const std::string& cache_dir);
/// Of torch/version.py under a prefix (a virtual environment, /usr); empty: none there.
std::string torch_version_under(const std::string& prefix);

/// One difference that would change keys.
struct Shift {
  std::string component;  ///< "inductor_config[max_autotune]", "torch_version"; empty: nothing would be asked
  std::string variable;   ///< empty: not by a variable
  std::string before, after;
  std::string was_set_to;  ///< the variable's own value then; empty: unset
};

enum class Chance : std::uint8_t { hit, miss, unknown };
struct Expected {
  LookupRow lookup;  ///< of the run
  Chance chance = Chance::unknown;
  std::string reason;     ///< "inductor_config[max_autotune] False → True", "the cache folder does not hold it"
  std::size_t shift = 0;  ///< index into Forecast::shifts + 1; 0: none
  std::string key;        ///< that would be asked for; empty: a new one that is not known
  double seconds = 0;     ///< that a miss would cost: what it cost, or what the hit saved; counted once a compile
};

struct Forecast {
  std::vector<Shift> shifts;
  std::vector<Expected> lookups;
  [[nodiscard]] std::size_t count(Chance chance) const;
  [[nodiscard]] double seconds_lost() const;
};

/// `holds`: whether the folder has an entry under that key.
using Holds = std::function<bool(Layer layer, const std::string& key)>;
Result<Forecast> forecast(Reader& reader, const RunRow& run, const Surroundings& then, const Surroundings& now,
                          const Holds& holds);
/// Looks into a cache folder.
bool folder_holds(const std::string& folder, Layer layer, const std::string& key);

}  // namespace keyhole::cli
