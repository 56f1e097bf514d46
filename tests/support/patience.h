// SPDX-License-Identifier: Apache-2.0
// What is waited for may come late on a machine that builds other things too: 5 s, Qt Test's own patience, are few.
#pragma once

#include <QtTest>

#undef QTRY_VERIFY
#undef QTRY_VERIFY2
#undef QTRY_COMPARE
#define QTRY_VERIFY(statement) QTRY_VERIFY_WITH_TIMEOUT((statement), 60'000)
#define QTRY_VERIFY2(statement, description) QTRY_VERIFY2_WITH_TIMEOUT((statement), (description), 60'000)
#define QTRY_COMPARE(actual, expected) QTRY_COMPARE_WITH_TIMEOUT((actual), (expected), 60'000)
