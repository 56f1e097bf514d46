// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/format.h"

#include <QDateTime>
#include <QLocale>
#include <cmath>

namespace keyhole::inspector {
namespace {

QString grouped(std::int64_t value) {
  return QLocale::c().toString(qlonglong(value));
}

// Three significant digits: "3.10", "12.4", "840".
QString three_digits(double value) {
  const double magnitude = std::abs(value);
  const int decimals = magnitude < 10 ? 2 : magnitude < 100 ? 1 : 0;
  return QString::number(value, 'f', decimals);
}

QDateTime local(Nanoseconds time) {
  return QDateTime::fromMSecsSinceEpoch(time / 1'000'000);
}

}  // namespace

QString seconds_text(double seconds) {
  const double s = std::abs(seconds);
  if (s == 0) return QStringLiteral("0 s");
  if (s < 1e-6) return three_digits(seconds * 1e9) + QStringLiteral(" ns");
  if (s < 1e-3) return three_digits(seconds * 1e6) + QStringLiteral(" µs");
  if (s < 0.9995) return three_digits(seconds * 1e3) + QStringLiteral(" ms");
  if (s < 60) return three_digits(seconds) + QStringLiteral(" s");
  const auto whole = std::llround(s);
  if (whole < 3600) return QStringLiteral("%1 min %2 s").arg(whole / 60).arg(whole % 60, 2, 10, QLatin1Char('0'));
  return QStringLiteral("%1 h %2 min").arg(whole / 3600).arg(whole % 3600 / 60, 2, 10, QLatin1Char('0'));
}

QString duration_text(Nanoseconds duration) {
  return duration < 0 ? QString() : seconds_text(double(duration) * 1e-9);
}

QString exact_duration(Nanoseconds duration) {
  return duration < 0 ? QString() : grouped(duration) + QStringLiteral(" ns");
}

QString bytes_text(std::int64_t bytes) {
  if (bytes < 0) return {};
  if (bytes < 1000) return QStringLiteral("%1 B").arg(bytes);
  double value = double(bytes);
  for (const char* unit : {"KB", "MB", "GB", "TB"}) {
    value /= 1000;
    if (value < 999.5) return three_digits(value) + u' ' + QLatin1String(unit);
  }
  return three_digits(value / 1000) + QStringLiteral(" PB");
}

QString exact_bytes(std::int64_t bytes) {
  return bytes < 0 ? QString() : plural(bytes, QStringLiteral("byte"), QStringLiteral("bytes"));
}

QString count_text(std::int64_t count) {
  return grouped(count);
}

QString short_count(std::int64_t count) {
  if (count < 1000) return QString::number(count);
  if (count < 1'000'000) return three_digits(double(count) / 1e3) + u'k';
  return three_digits(double(count) / 1e6) + u'M';
}

QString percent_text(double part, double whole) {
  if (whole <= 0) return {};
  const double percent = 100 * part / whole;
  const bool fraction = percent > 0 && percent < 100 && (percent < 1 || percent > 99);
  return QString::number(percent, 'f', fraction ? 1 : 0) + QStringLiteral(" %");
}

QString clock_text(Nanoseconds time) {
  return time < 0 ? QString() : local(time).toString(QStringLiteral("HH:mm:ss"));
}

QString date_clock_text(Nanoseconds time) {
  return time < 0 ? QString() : local(time).toString(QStringLiteral("yyyy-MM-dd HH:mm:ss"));
}

QString exact_time(Nanoseconds time) {
  return time < 0 ? QString() : local(time).toString(QStringLiteral("yyyy-MM-dd HH:mm:ss.zzz t"));
}

QString short_digest(const QString& digest) {
  return digest.size() <= 12 ? digest : digest.left(8) + u'…';
}

QString plural(std::int64_t count, const QString& one, const QString& many) {
  return grouped(count) + u' ' + (count == 1 ? one : many);
}

QString title_of(Layer layer) {
  switch (layer) {
    case Layer::dynamo:
      return QStringLiteral("Dynamo");
    case Layer::aot_autograd:
      return QStringLiteral("AOTAutograd");
    case Layer::fx_graph:
      return QStringLiteral("FX graph");
    case Layer::autotune:
      return QStringLiteral("Autotune");
    case Layer::triton:
      return QStringLiteral("Triton");
    case Layer::code:
      return QStringLiteral("Code");
    case Layer::cuda:
      return QStringLiteral("CUDA");
    case Layer::remote:
      return QStringLiteral("Remote");
  }
  return {};
}

QString title_of(Outcome outcome) {
  return outcome == Outcome::guard_miss ? QStringLiteral("guard miss") : QString::fromLatin1(name_of(outcome));
}

QString title_of(Direction direction) {
  return direction == Direction::unknown ? QString() : QString::fromLatin1(name_of(direction));
}

QString value_text(const std::string& value) {
  const QString text = text_of(value);
  if (!text.contains(QChar::ReplacementCharacter)) return text;
  if (value.find("\xef\xbf\xbd") != std::string::npos)
    return QStringLiteral("(bytes; the recording holds them as a digest only)");
  constexpr std::size_t kBytesShown = 32;
  const QByteArray bytes(value.data(), qsizetype(std::min(value.size(), kBytesShown)));
  return QStringLiteral("bytes %1%2, %3 of them")
      .arg(QString::fromLatin1(bytes.toHex(' ')), value.size() > kBytesShown ? QStringLiteral(" …") : QString())
      .arg(value.size());
}

QString one_line(const QString& text, int limit) {
  QString line = text.left(limit + 1);
  const bool cut = text.size() > limit;
  for (QChar& c : line)
    if (c.category() == QChar::Other_Control || c == QChar::LineSeparator) c = u' ';
  if (cut) line = line.left(limit - 1) + u'…';
  return line.trimmed();
}

}  // namespace keyhole::inspector
