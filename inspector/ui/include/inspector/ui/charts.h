// SPDX-License-Identifier: Apache-2.0
// The painted charts of the overview. Each is reachable by keys, and each of its figures leads to rows.
#pragma once

#include <QWidget>
#include <vector>

#include "inspector/core/source.h"

namespace keyhole::inspector {

/// Lookups over time: a stacked column a bucket, by outcome.
class OutcomeChart : public QWidget {
  Q_OBJECT
 public:
  explicit OutcomeChart(QWidget* parent = nullptr);
  /// `layer`: only this one; absent: all.
  void set(const Overview& overview, std::optional<Layer> layer);
  QSize sizeHint() const override { return {480, 190}; }

 Q_SIGNALS:
  void bucket_clicked(qint64 begin, qint64 end);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void leaveEvent(QEvent* event) override;

 private:
  struct Column {
    Nanoseconds begin;
    LayerCounts counts;
  };
  [[nodiscard]] QRectF plot() const;
  [[nodiscard]] int column_at(double x) const;
  std::vector<Column> columns_;
  Nanoseconds width_ = 0;
  std::int64_t most_ = 0;
  int hover_ = -1;
};

/// A row a layer: its lookups as a bar cut by outcome, and its hit rate.
class LayerChart : public QWidget {
  Q_OBJECT
 public:
  explicit LayerChart(QWidget* parent = nullptr);
  void set(std::vector<Overview::LayerRow> rows);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 Q_SIGNALS:
  void clicked(keyhole::Layer layer, std::optional<keyhole::Outcome> outcome);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  struct Part {
    QRectF box;
    Layer layer;
    std::optional<Outcome> outcome;
  };
  [[nodiscard]] std::vector<Part> parts() const;
  std::vector<Overview::LayerRow> rows_;
  int current_ = 0;
};

/// What the shapes and colours mean.
class OutcomeLegend : public QWidget {
  Q_OBJECT
 public:
  explicit OutcomeLegend(QWidget* parent = nullptr);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent* event) override;
};

/// The layers of one compile, left to right, each with its outcome; clicking one explains it.
class ChainView : public QWidget {
  Q_OBJECT
 public:
  explicit ChainView(QWidget* parent = nullptr);
  /// `names` stand beside `links`.
  void set(std::vector<ChainLink> links, QStringList names, RowId current);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {200, sizeHint().height()}; }

 Q_SIGNALS:
  void clicked(keyhole::RowId lookup);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  [[nodiscard]] std::vector<QRectF> boxes() const;
  std::vector<ChainLink> links_;
  QStringList names_;
  RowId current_ = 0;
  int focus_ = 0;
};

/// Named values as bars: timings, sizes. The longest fills the width.
class BarList : public QWidget {
  Q_OBJECT
 public:
  struct Bar {
    QString name, text, tip;
    double value = 0;
  };
  explicit BarList(const QString& accessible_name, QWidget* parent = nullptr);
  void set(std::vector<Bar> bars);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;

 private:
  std::vector<Bar> bars_;
};

}  // namespace keyhole::inspector
