// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/ui/page.h"

class QComboBox;
class QHBoxLayout;
class QLabel;
class QPushButton;
class QStackedWidget;
class QTableView;

namespace keyhole::inspector {

class EmptyState;
class LayerChart;
class NodeModel;
class OutcomeChart;

/// How the caches do: figures, time, layers, what costs most, runs. Every figure leads to its rows.
class OverviewPage : public Page {
  Q_OBJECT
 public:
  explicit OverviewPage(Workspace& workspace, QWidget* parent = nullptr);

 protected:
  void load() override;
  void clear() override;

 private:
  struct Figure {
    QLabel* value;
    QPushButton* link;
  };
  Figure add_figure(QHBoxLayout* row, const QString& title, const QString& filter);
  void ask_overview();
  void show_overview(const Overview& overview);
  void show_causes(const std::vector<CauseCost>& causes);
  void show_chart();

  QStackedWidget* stack_;
  EmptyState* empty_;
  Figure hit_rate_, lost_, saved_, misses_, bypasses_;
  OutcomeChart* chart_;
  QComboBox* chart_layer_;
  LayerChart* layers_;
  NodeModel *causes_, *runs_;
  QTableView *causes_view_, *runs_view_;
  QLabel *causes_note_, *newest_, *runs_note_;
  Overview overview_;
};

}  // namespace keyhole::inspector
