// SPDX-License-Identifier: Apache-2.0
// Parsing, completion and chips; the evaluation over rows stands in filter_match.cpp.
#include "inspector/core/filter.h"

#include <QDateTime>
#include <algorithm>
#include <cmath>

#include "inspector/core/format.h"

namespace keyhole::inspector {

const std::vector<FieldInfo>& filter_fields() {
  static const std::vector<FieldInfo> fields = {
      {Field::id, "id", FieldType::number, true, true, "the number of the row"},
      {Field::run, "run", FieldType::text, true, false, "the name of the run"},
      {Field::layer, "layer", FieldType::word, true, true, "which cache"},
      {Field::outcome, "outcome", FieldType::word, true, false, "what became of the lookup"},
      {Field::key, "key", FieldType::text, true, true, "the key, or part of it"},
      {Field::compile, "compile", FieldType::text, true, false, "the compile id, such as 0/0"},
      {Field::function, "function", FieldType::text, true, false, "the compiled function"},
      {Field::file, "file", FieldType::text, true, true, "the file of the function, or of the entry"},
      {Field::direction, "direction", FieldType::word, true, true, "forward, backward or inference"},
      {Field::rank, "rank", FieldType::number, true, false, "the rank of the process"},
      {Field::time, "time", FieldType::time, true, true, "when, such as 10:01 or 2026-11-21"},
      {Field::cost, "cost", FieldType::duration, true, true, "time lost by the miss, such as 3s"},
      {Field::saved, "saved", FieldType::duration, true, false, "time saved by the hit"},
      {Field::duration, "duration", FieldType::duration, true, false, "time of the lookup itself"},
      {Field::status, "status", FieldType::text, true, false, "as the producer calls it"},
      {Field::reason, "reason", FieldType::text, true, false, "why it was bypassed or failed"},
      {Field::guard, "guard", FieldType::text, true, true, "the guard expression"},
      {Field::size, "size", FieldType::size, false, true, "the size of the file, such as 5MiB"},
      {Field::state, "state", FieldType::word, false, true, "ok, damaged, unreadable or vanished"},
      {Field::location, "location", FieldType::text, false, true, "the folder that held it"},
  };
  return fields;
}

namespace {

QStringList words_of(Field field) {
  QStringList words;
  if (field == Field::layer)
    for (int i = int(Layer::dynamo); i <= int(Layer::remote); ++i) words << QString::fromLatin1(name_of(Layer(i)));
  if (field == Field::outcome)
    for (int i = int(Outcome::hit); i <= int(Outcome::error); ++i) words << QString::fromLatin1(name_of(Outcome(i)));
  if (field == Field::direction)
    for (int i = int(Direction::inference); i <= int(Direction::backward); ++i)
      words << QString::fromLatin1(name_of(Direction(i)));
  if (field == Field::state)
    for (int i = int(EntryState::ok); i <= int(EntryState::vanished); ++i)
      words << QString::fromLatin1(name_of(EntryState(i)));
  return words;
}

const FieldInfo* field_named(QStringView name) {
  for (const FieldInfo& f : filter_fields())
    if (name.compare(QLatin1String(f.name), Qt::CaseInsensitive) == 0) return &f;
  return nullptr;
}

int edit_distance(QStringView a, QStringView b) {
  std::vector<int> row(std::size_t(b.size()) + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = int(j);
  for (qsizetype i = 0; i < a.size(); ++i) {
    int diagonal = row[0]++;
    for (std::size_t j = 1; j < row.size(); ++j) {
      const int above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i] != b[qsizetype(j) - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

QString nearest(const QString& word, const QStringList& choices) {
  QString best;
  int best_distance = 3;
  for (const QString& choice : choices)
    if (const int d = edit_distance(word.toLower(), choice); d < best_distance) best = choice, best_distance = d;
  return best.isEmpty() ? QString() : QStringLiteral("; did you mean '%1'?").arg(best);
}

struct Unit {
  const char* name;
  double factor;
};
constexpr Unit kDurations[] = {{"ns", 1},   {"us", 1e3},   {"µs", 1e3},   {"ms", 1e6},   {"s", 1e9},
                               {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
constexpr Unit kSizes[] = {{"B", 1},         {"KB", 1e3},           {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024},
                           {"MiB", 1048576}, {"GiB", 1073741824.0}, {"k", 1e3},  {"M", 1e6},  {"G", 1e9}};

const double kNoNumber = std::nan("");

// kNoNumber where the text is no number or its unit is not known.
double with_unit(const QString& text, const Unit* begin, const Unit* end, double bare) {
  qsizetype digits = 0;
  while (digits < text.size() && (text[digits].isDigit() || text[digits] == u'.')) ++digits;
  bool ok = false;
  const double value = text.left(digits).toDouble(&ok);
  if (!ok) return kNoNumber;
  const QString unit = text.mid(digits);
  if (unit.isEmpty()) return value * bare;
  for (const Unit* u = begin; u != end; ++u)
    if (unit.compare(QString::fromUtf8(u->name), Qt::CaseInsensitive) == 0) return value * u->factor;
  return kNoNumber;
}

double time_value(const QString& text) {
  for (const auto* format : {"yyyy-MM-dd HH:mm:ss", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-dd HH:mm", "yyyy-MM-dd"})
    if (const auto t = QDateTime::fromString(text, QString::fromLatin1(format)); t.isValid())
      return double(t.toMSecsSinceEpoch()) * 1e6;
  for (const auto* format : {"HH:mm:ss", "HH:mm"})
    if (const auto t = QTime::fromString(text, QString::fromLatin1(format)); t.isValid())
      return double(QDateTime(QDate::currentDate(), t).toMSecsSinceEpoch()) * 1e6;
  return kNoNumber;
}

// --- lexer -----------------------------------------------------------------------------------------------------------

struct Token {
  enum class Kind { word, quoted, regex, op, open, close, minus, end };
  Kind kind = Kind::end;
  QString text;
  int column = 0, length = 0;
};

bool is_operator_char(QChar c) {
  return c == u':' || c == u'=' || c == u'!' || c == u'<' || c == u'>';
}

class Lexer {
 public:
  explicit Lexer(const QString& text) : text_(text) {}
  // Fills `error` and returns what was read before it.
  std::vector<Token> run(std::optional<FilterError>& error) {
    std::vector<Token> tokens;
    for (int at = 0;;) {
      while (at < text_.size() && text_[at].isSpace()) ++at;
      Token t;
      t.column = at;
      if (at >= text_.size()) {
        tokens.push_back(t);
        return tokens;
      }
      const QChar c = text_[at];
      const bool value_expected = !tokens.empty() && tokens.back().kind == Token::Kind::op;
      if (c == u'"' || c == u'/') {
        int end = at + 1;
        while (end < text_.size() && text_[end] != c) {
          if (text_[end] == u'\\' && end + 1 < text_.size()) {
            if (c == u'/' && text_[end + 1] != c) t.text += u'\\';
            ++end;
          }
          t.text += text_[end++];
        }
        if (end >= text_.size()) {
          error = FilterError{
              at, int(text_.size()) - at,
              c == u'"' ? QStringLiteral("the quote is not closed") : QStringLiteral("the /expression/ is not closed")};
          t.kind = Token::Kind::end;
          tokens.push_back(t);
          return tokens;
        }
        t.kind = c == u'"' ? Token::Kind::quoted : Token::Kind::regex;
        at = end + 1;
      } else if (c == u'(' || c == u')') {
        t.kind = c == u'(' ? Token::Kind::open : Token::Kind::close;
        ++at;
      } else if (c == u'-' && !value_expected) {
        t.kind = Token::Kind::minus;
        ++at;
      } else if (is_operator_char(c)) {
        t.kind = Token::Kind::op;
        t.text = c;
        ++at;
        if (at < text_.size() && text_[at] == u'=' && c != u':' && c != u'=') t.text += text_[at++];
      } else {
        t.kind = Token::Kind::word;
        while (at < text_.size() && !text_[at].isSpace() && text_[at] != u'(' && text_[at] != u')' &&
               text_[at] != u'"' && (value_expected || !is_operator_char(text_[at])))
          t.text += text_[at++];
      }
      t.length = at - t.column;
      tokens.push_back(t);
    }
  }

 private:
  const QString& text_;
};

// --- parser ----------------------------------------------------------------------------------------------------------

constexpr int kMaxDepth = 64;

class Parser {
 public:
  Parser(std::vector<Token> tokens, std::optional<FilterError> error)
      : tokens_(std::move(tokens)), error_(std::move(error)) {}

  FilterNode run(std::optional<FilterError>& error) {
    FilterNode root;
    if (!error_ && peek().kind != Token::Kind::end) {
      root = any(0);
      if (!error_ && peek().kind == Token::Kind::close)
        stop(peek(), QStringLiteral("there is no '(' that this closes"));
    }
    error = error_;
    if (error_) return {};
    if (root.kind == FilterNode::Kind::all) return root;
    FilterNode all;
    all.children.push_back(std::move(root));
    return all;
  }

 private:
  const Token& peek() const { return tokens_[at_]; }
  Token take() { return peek().kind == Token::Kind::end ? peek() : tokens_[at_++]; }
  void stop(const Token& t, QString message) {
    if (!error_) error_ = FilterError{t.column, std::max(1, t.length), std::move(message)};
  }
  bool at_word(const char* word) const {
    return peek().kind == Token::Kind::word && peek().text == QLatin1String(word);
  }
  bool ends_list() const {
    return error_ || peek().kind == Token::Kind::end || peek().kind == Token::Kind::close || at_word("OR");
  }

  FilterNode any(int depth) {
    FilterNode node;
    node.kind = FilterNode::Kind::any;
    node.children.push_back(all(depth));
    while (!error_ && at_word("OR")) {
      take();
      node.children.push_back(all(depth));
    }
    return node.children.size() == 1 ? std::move(node.children[0]) : node;
  }

  FilterNode all(int depth) {
    FilterNode node;
    do {
      if (at_word("AND") && !node.children.empty()) take();
      node.children.push_back(one(depth));
    } while (!ends_list());
    return node.children.size() == 1 && node.children[0].kind != FilterNode::Kind::term ? std::move(node.children[0])
                                                                                        : node;
  }

  FilterNode one(int depth) {
    if (depth > kMaxDepth) {
      stop(peek(), QStringLiteral("nested too deeply"));
      return {};
    }
    const Token t = take();
    if (t.kind == Token::Kind::minus || (t.kind == Token::Kind::word && t.text == QLatin1String("NOT"))) {
      FilterNode node;
      node.kind = FilterNode::Kind::none;
      node.children.push_back(one(depth + 1));
      return node;
    }
    if (t.kind == Token::Kind::open) {
      FilterNode node = any(depth + 1);
      if (!error_ && take().kind != Token::Kind::close) stop(t, QStringLiteral("this '(' is not closed"));
      return node;
    }
    FilterNode node;
    node.kind = FilterNode::Kind::term;
    if (t.kind == Token::Kind::word && peek().kind == Token::Kind::op) {
      compare(t, node.term);
      return node;
    }
    switch (t.kind) {
      case Token::Kind::word:
        if (t.text == QLatin1String("AND") || t.text == QLatin1String("OR"))
          stop(t, QStringLiteral("a condition is missing before %1").arg(t.text));
        [[fallthrough]];
      case Token::Kind::quoted:
        node.term.text = t.text;
        break;
      case Token::Kind::regex:
        expression(t, node.term);
        break;
      case Token::Kind::op:
        stop(t, QStringLiteral("a field is missing before '%1'").arg(t.text));
        break;
      case Token::Kind::close:
        stop(t, QStringLiteral("a condition is missing before ')'"));
        break;
      default:
        stop(t, QStringLiteral("a condition is missing here"));
        break;
    }
    return node;
  }

  void expression(const Token& t, FilterTerm& term) {
    term.op = Op::regex;
    term.text = t.text;
    term.regex = QRegularExpression(t.text, QRegularExpression::CaseInsensitiveOption);
    if (!term.regex.isValid()) {
      Token at = t;
      at.column += 1 + int(term.regex.patternErrorOffset());
      at.length = 1;
      stop(at, QStringLiteral("regular expression: %1").arg(term.regex.errorString()));
    }
  }

  void compare(const Token& name, FilterTerm& term) {
    const FieldInfo* info = field_named(name.text);
    if (!info) {
      QStringList names;
      for (const FieldInfo& f : filter_fields()) names << QString::fromLatin1(f.name);
      stop(name, QStringLiteral("unknown field '%1'%2").arg(name.text, nearest(name.text, names)));
      return;
    }
    term.field = info->field;
    const Token op = take();
    const Token value = take();
    if (value.kind == Token::Kind::regex) {
      if (info->type != FieldType::text && info->type != FieldType::word)
        stop(value, QStringLiteral("%1 is a figure: compare it by < > =").arg(name.text));
      else if (op.text != QLatin1String(":") && op.text != QLatin1String("="))
        stop(op, QStringLiteral("a regular expression is written %1:/…/").arg(name.text));
      else
        expression(value, term);
      return;
    }
    if (value.kind != Token::Kind::word && value.kind != Token::Kind::quoted) {
      stop(value.kind == Token::Kind::end ? value : op, QStringLiteral("a value is missing after '%1'").arg(op.text));
      return;
    }
    static const std::pair<const char*, Op> operators[] = {
        {":", Op::contains},    {"=", Op::equal},   {"!=", Op::not_equal},    {"<", Op::less},
        {"<=", Op::less_equal}, {">", Op::greater}, {">=", Op::greater_equal}};
    const auto* found = std::find_if(std::begin(operators), std::end(operators),
                                     [&](const auto& o) { return op.text == QLatin1String(o.first); });
    if (found == std::end(operators)) {
      stop(op, QStringLiteral("'%1' is no comparison; use : = != < <= > >=").arg(op.text));
      return;
    }
    term.op = found->second;
    term.text = value.text;
    assign(*info, op, value, term);
  }

  void assign(const FieldInfo& info, const Token& op, const Token& value, FilterTerm& term) {
    const bool ordered = term.op != Op::contains && term.op != Op::equal && term.op != Op::not_equal;
    if (info.type == FieldType::text || info.type == FieldType::word) {
      if (ordered) return stop(op, QStringLiteral("%1 is a text: use : = or !=").arg(QLatin1String(info.name)));
      if (info.type == FieldType::text) return;
      const QStringList words = words_of(info.field);
      if (term.op == Op::contains) term.op = Op::equal;
      if (!words.contains(value.text.toLower()))
        stop(value, QStringLiteral("'%1' is not one of %2%3")
                        .arg(value.text, words.join(QStringLiteral(", ")), nearest(value.text, words)));
      term.text = value.text.toLower();
      return;
    }
    if (term.op == Op::contains) term.op = Op::equal;
    double number = kNoNumber;
    QString wanted;
    switch (info.type) {
      case FieldType::duration:
        number = with_unit(value.text, std::begin(kDurations), std::end(kDurations), 1e9);
        wanted = QStringLiteral("a duration such as 250ms, 3s or 5min");
        break;
      case FieldType::size:
        number = with_unit(value.text, std::begin(kSizes), std::end(kSizes), 1);
        wanted = QStringLiteral("a size such as 64KB or 5MiB");
        break;
      case FieldType::time:
        number = time_value(value.text);
        wanted = QStringLiteral("a time such as 10:01 or \"2026-11-21 10:01\"");
        break;
      default: {
        bool ok = false;
        number = value.text.toDouble(&ok);
        if (!ok) number = kNoNumber;
        wanted = QStringLiteral("a number");
      }
    }
    term.number = number;
    if (!std::isfinite(number)) stop(value, QStringLiteral("'%1' is not %2").arg(value.text, wanted));
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::optional<FilterError> error_;
};

}  // namespace

Filter parse_filter(const QString& text) {
  Filter filter;
  filter.source = text;
  std::optional<FilterError> error;
  auto tokens = Lexer(text).run(error);
  filter.root = Parser(std::move(tokens), std::move(error)).run(filter.error);
  return filter;
}

QStringList complete_filter(const QString& text, int cursor, bool entries) {
  int begin = std::clamp(cursor, 0, int(text.size()));
  while (begin > 0 && !text[begin - 1].isSpace() && text[begin - 1] != u'(') --begin;
  const QString word = text.mid(begin, cursor - begin);
  int op = 0;
  while (op < word.size() && !is_operator_char(word[op])) ++op;
  QStringList found;
  if (op == word.size()) {
    const QString prefix = word.startsWith(u'-') ? word.mid(1) : word;
    for (const FieldInfo& f : filter_fields())
      if ((entries ? f.of_entries : f.of_lookups) &&
          QString::fromLatin1(f.name).startsWith(prefix, Qt::CaseInsensitive))
        found << QString::fromLatin1(f.name) + (f.type == FieldType::text || f.type == FieldType::word ? u':' : u'>');
    return found;
  }
  const FieldInfo* info = field_named(QStringView(word).left(op).mid(word.startsWith(u'-') ? 1 : 0));
  int value = op;
  while (value < word.size() && is_operator_char(word[value])) ++value;
  if (info)
    for (const QString& w : words_of(info->field))
      if (w.startsWith(word.mid(value), Qt::CaseInsensitive)) found << word.left(value) + w;
  return found;
}

std::vector<FilterChip> filter_chips(const QString& text) {
  std::optional<FilterError> error;
  const auto tokens = Lexer(text).run(error);
  if (error || parse_filter(text).error) return {};
  std::vector<FilterChip> chips;
  int depth = 0, begin = -1;
  const auto close = [&](int end) {
    if (begin >= 0) chips.push_back({text.mid(begin, end - begin).trimmed(), begin, end - begin});
    begin = -1;
  };
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const Token& t = tokens[i];
    if (depth == 0 && t.kind == Token::Kind::word && t.text == QLatin1String("OR"))
      return {{text.trimmed(), 0, int(text.size())}};
    if (depth == 0 && t.kind == Token::Kind::word && t.text == QLatin1String("AND")) continue;
    if (begin < 0) begin = t.column;
    depth += t.kind == Token::Kind::open ? 1 : t.kind == Token::Kind::close ? -1 : 0;
    const Token& next = tokens[i + 1];
    const bool joined = t.kind == Token::Kind::op || t.kind == Token::Kind::minus || next.kind == Token::Kind::op ||
                        (t.kind == Token::Kind::word && t.text == QLatin1String("NOT"));
    if (depth == 0 && !joined) close(t.column + t.length);
  }
  return chips;
}

QString with_condition(const QString& text, const QString& condition) {
  const QString base = text.trimmed();
  if (base.isEmpty()) return condition;
  const auto chips = filter_chips(base);
  for (const FilterChip& chip : chips)
    if (chip.text == condition) return base;
  const bool needs_brackets = chips.size() == 1 && parse_filter(base).root.children.size() == 1 &&
                              parse_filter(base).root.children[0].kind == FilterNode::Kind::any &&
                              !base.startsWith(u'(');
  return (needs_brackets ? u'(' + base + u')' : base) + u' ' + condition;
}

QString without_chip(const QString& text, const FilterChip& chip) {
  QStringList rest;
  for (const FilterChip& other : filter_chips(text))
    if (other.column != chip.column) rest << other.text;
  return rest.join(u' ');
}

QString quoted_value(const QString& value) {
  static const QRegularExpression plain(QStringLiteral("^[^\\s()\"/-][^\\s()\"]*$"));
  if (plain.match(value).hasMatch()) return value;
  QString escaped = value;
  escaped.replace(u'\\', QStringLiteral("\\\\")).replace(u'"', QStringLiteral("\\\""));
  return u'"' + escaped + u'"';
}

}  // namespace keyhole::inspector
