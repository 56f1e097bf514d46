// SPDX-License-Identifier: Apache-2.0
// How a pickle lies in memory: nodes in one array, elements of containers as chains of cells in another, so that a
// container that grows late costs nothing, sharing costs nothing, and destruction does not recurse.
#pragma once

#include <deque>

#include "keyhole/ingest/pickle.h"

namespace keyhole::pickle {

using Ref = std::uint32_t;  ///< index of a node or cell; 0: none

struct Node {
  Kind kind = Kind::absent;
  union {
    std::int64_t integer;
    double real;
    struct {
      const char* data;
      std::size_t size;
    } view;  // text, bytes, big_integer
    struct {
      Ref first, last;
      std::uint32_t count;
    } chain;  // tuple, list, dict, set, frozenset
    struct {
      Ref module, name;
    } global;
    struct {
      Ref callable, args, extra;  // extra: index into Data::extras
    } call;                       // also persistent: args
  };
  Node() : view{nullptr, 0} {}
};

struct Cell {
  Ref value = 0, next = 0;
};

/// What few calls have.
struct CallExtra {
  Ref state = 0, first = 0, last = 0;
  std::uint32_t count = 0;
};

struct Document::Data {
  std::vector<Node> nodes = std::vector<Node>(1);
  std::vector<Cell> cells = std::vector<Cell>(1);
  std::vector<CallExtra> extras = std::vector<CallExtra>(1);
  std::deque<std::string> owned;  // texts that had to be unescaped
  std::vector<Callable> callables;
  std::optional<Problem> problem;
  std::size_t consumed = 0;
  int protocol = 0;
  Ref root = 0;
};

}  // namespace keyhole::pickle
