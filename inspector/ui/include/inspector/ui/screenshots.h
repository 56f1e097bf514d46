// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QString>

namespace keyhole::inspector {

/// Renders every page of a store, light and dark, at scale 1 and 2, as PNG files into `folder`. Returns an exit status
/// and prints what could not be done. Needs no display: the platform "offscreen" will do.
int make_screenshots(const QString& store, const QString& folder);

}  // namespace keyhole::inspector
