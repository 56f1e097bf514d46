// SPDX-License-Identifier: Apache-2.0
// How figures are shown: a short form with units for the cell, the exact value for its tooltip. Unknown values (-1, or
// kUnknownTime) give an empty text: nothing is shown rather than a zero that was not measured.
#pragma once

#include <QString>

#include "keyhole/base/records.h"

namespace keyhole::inspector {

QString seconds_text(double seconds);             ///< "3.1 s", "840 ms", "2 min 05 s"
QString duration_text(Nanoseconds duration);      ///< as seconds_text
QString exact_duration(Nanoseconds duration);     ///< "3,104,220,112 ns"
QString bytes_text(std::int64_t bytes);           ///< "83 KB" (1000-based)
QString exact_bytes(std::int64_t bytes);          ///< "83,112 bytes"
QString count_text(std::int64_t count);           ///< "1,204"
QString short_count(std::int64_t count);          ///< "1.2k": where only a few pixels are free
QString percent_text(double part, double whole);  ///< "87 %"; empty where the whole is 0
QString clock_text(Nanoseconds time);             ///< "10:01:12" local time
QString date_clock_text(Nanoseconds time);        ///< "2026-11-21 10:01:12" local time
QString exact_time(Nanoseconds time);             ///< with milliseconds and the zone
QString short_digest(const QString& digest);      ///< the first 8 characters and an ellipsis; shorter texts unchanged
QString plural(std::int64_t count, const QString& one, const QString& many);  ///< "1 miss", "312 misses"

/// What a person reads for a layer or an outcome: "FX graph", "guard miss".
QString title_of(Layer layer);
QString title_of(Outcome outcome);
QString title_of(Direction direction);  ///< empty for unknown

inline QString text_of(const std::string& utf8) {
  return QString::fromUtf8(utf8.data(), qsizetype(utf8.size()));
}
/// A component's value: its text, or its bytes in hexadecimal where they are no text ("bytes a1 4d 00 …, 32 of them").
QString value_text(const std::string& value);
/// The first line of a text, cut to `limit` characters with an ellipsis; control characters become spaces.
QString one_line(const QString& text, int limit = 200);

}  // namespace keyhole::inspector
