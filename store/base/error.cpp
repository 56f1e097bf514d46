// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/error.h"

namespace keyhole {

std::string Error::line() const {
  std::string text = what;
  if (!where.empty()) text += " (" + where + ")";
  if (!hint.empty()) text += "; " + hint;
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

tl::unexpected<Error> fail(ErrorKind kind, std::string what, std::string where, std::string hint) {
  return tl::make_unexpected(Error{kind, std::move(what), std::move(where), std::move(hint)});
}

}  // namespace keyhole
