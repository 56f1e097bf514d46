// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "keyhole/key/value.h"

namespace keyhole {

/// Calls `visit(name, value)` for each component of a details object: the elements of lists and the items of maps one
/// by one ("example_inputs[0]", "fx_kwargs[cpp_wrapper]"), other fields whole.
template <class Visit>
void for_each_component(const KeyValue::Fields& fields, Visit visit) {
  for (const auto& [attr, value] : fields) {
    const KeyValue::Items& items = value.items();
    if (value.is(KeyValue::Kind::list)) {
      for (std::size_t i = 0; i < items.size(); ++i) visit(attr + "[" + std::to_string(i) + "]", items[i]);
    } else if (value.is(KeyValue::Kind::map)) {
      for (std::size_t i = 0; i + 1 < items.size(); i += 2) visit(attr + "[" + items[i].shown() + "]", items[i + 1]);
    } else {
      visit(std::string(attr), value);
    }
  }
}

}  // namespace keyhole
