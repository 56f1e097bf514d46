// SPDX-License-Identifier: Apache-2.0
// Numbers, times and texts as a person reads them. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/records.h"

namespace keyhole::cli {

/// "850 ms", "3.1 s", "2 min 5 s", "1 h 4 min". Negative (not known): "-".
std::string seconds_text(double seconds);
/// "812 B", "83 KB", "1.4 MB": powers of 1000.
std::string size_text(std::int64_t bytes);
/// Local time: "10:01:12" on the day of `now`, else "2026-11-21 10:01". kUnknownTime: "-".
std::string time_text(Nanoseconds time, Nanoseconds now);
/// "1 hit", "2 hits": `plural` where it is not the singular with an s.
std::string count_text(std::int64_t n, std::string_view singular, std::string_view plural = {});

/// At most `width` columns; what was cut is told by "…". Control characters and newlines become spaces, and invalid
/// UTF-8 becomes U+FFFD: text of a trace cannot steer the terminal.
std::string shorten(std::string_view text, std::size_t width);
/// The same without a limit, newlines kept.
std::string printable(std::string_view text);
/// Columns that `text` takes: code points (East Asian width is not considered).
std::size_t columns(std::string_view text);
/// `text` followed by spaces up to `width` columns.
std::string padded(std::string_view text, std::size_t width);

/// A shell would read it as one word: quoted only where necessary.
std::string shell_word(std::string_view word);
std::string shell_line(const std::vector<std::string>& words);
/// The words a person knows a program by: "python train.py --lr 3" for "/usr/bin/python3 /home/u/train.py --lr 3".
std::string program_text(const std::vector<std::string>& argv);

}  // namespace keyhole::cli
