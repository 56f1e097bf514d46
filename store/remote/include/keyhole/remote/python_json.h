// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace keyhole {

/// JSON as Python's json.dumps writes it: ", " and ": " between, ASCII only, maps in insertion order, floats as repr()
/// prints them. `indent` as there: -1 none, n that many blanks and a line for each item.
[[nodiscard]] std::string python_json(const nlohmann::ordered_json& value, int indent = -1);

/// Python's repr() of a float: shortest digits that read back the same, "1e+16", "1.5", "inf", "nan".
[[nodiscard]] std::string python_float(double value);

}  // namespace keyhole
