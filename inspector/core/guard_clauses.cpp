// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/guard_clauses.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <QStringList>

#include "inspector/core/format.h"
#include "keyhole/guard/expression.h"

namespace keyhole::inspector {
namespace {

Hints hints_of(const std::string& json) {
  Hints hints;
  const QJsonObject object = QJsonDocument::fromJson(QByteArray::fromStdString(json)).object();
  for (auto it = object.begin(); it != object.end(); ++it) {
    const std::string name = it.key().toStdString();
    if (it->isBool()) {
      hints.set(name, it->toBool());
    } else if (it->isDouble()) {
      const double real = it->toDouble();
      const qint64 whole = it->toInteger();
      if (double(whole) == real)
        hints.set(name, std::int64_t(whole));
      else
        hints.set(name, real);
    } else if (auto value = parse_hint(it->toString().toStdString())) {
      hints.set(name, *value);
    }
  }
  return hints;
}

ShownClause::State state_of(GuardState state) {
  switch (state) {
    case GuardState::holds:
      return ShownClause::State::holds;
    case GuardState::fails:
      return ShownClause::State::fails;
    case GuardState::error:
      return ShownClause::State::error;
    case GuardState::not_evaluated:
      break;
  }
  return ShownClause::State::not_evaluated;
}

std::vector<ShownClause> shown(const std::string& expression, const Hints& hints, bool evaluated) {
  std::vector<ShownClause> clauses;
  for (const GuardClause& clause : explain_guard(expression, hints).clauses) {
    ShownClause one{
        text_of(clause.text), evaluated ? state_of(clause.state) : ShownClause::State::not_evaluated, {}, {}};
    QStringList read;
    for (const GuardHint& hint : clause.hints)
      read << QStringLiteral("%1 = %2").arg(text_of(hint.name),
                                            hint.value.empty() ? QStringLiteral("?") : text_of(hint.value));
    if (evaluated) one.error = text_of(clause.error);
    one.hints = read.join(QStringLiteral(", "));
    clauses.push_back(std::move(one));
  }
  return clauses;
}

}  // namespace

std::vector<ShownClause> clauses_of(const GuardFinding& finding) {
  return shown(finding.expression, hints_of(finding.hints), true);
}
std::vector<ShownClause> clauses_of(const std::string& expression) {
  return shown(expression, {}, false);
}

}  // namespace keyhole::inspector
