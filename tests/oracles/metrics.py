#!/usr/bin/env python3
"""Metrics by their definitions in numpy -> tests/fixtures/metrics.hpp.

The model is linear and its numbers come from formulas that the test repeats, all exact in float:
x[i][j] = ((7 i + 13 j + i j) mod 17 - 8) / 8, w[j][k] = ((5 j + 3 k + j k) mod 11 - 5) / 8,
b[k] = (k - 2) / 8 but b[4] = -20, label[i] = (i^2 + i div 3) mod 4, for 600 rows, 5 columns, 6 classes.
Classes 4 and 5 never are the truth; class 4 is never predicted either. Needs numpy.
"""
import numpy as np

import header

ROWS, COLUMNS, CLASSES = 600, 5, 6

i, j, k = np.arange(ROWS)[:, None], np.arange(COLUMNS), np.arange(CLASSES)
x = ((7 * i + 13 * j + i * j) % 17 - 8) / 8
w = ((5 * j[:, None] + 3 * k + j[:, None] * k) % 11 - 5) / 8
b = (k - 2) / 8
b[4] = -20
labels = (np.arange(ROWS) ** 2 + np.arange(ROWS) // 3) % 4

z = x @ w + b
predicted = z.argmax(1)  # the first of equals
confusion = np.array([[np.sum((labels == t) & (predicted == p)) for p in k] for t in k])
hits, truths, taken = np.diag(confusion), confusion.sum(1), confusion.sum(0)
assert truths[4] == truths[5] == taken[4] == 0 and taken[5] > 0
ratio = lambda part, whole: np.where(whole > 0, part / np.maximum(whole, 1), 0.0)
f1 = ratio(2 * hits, truths + taken)
log_probability = z - z.max(1, keepdims=True)
log_probability -= np.log(np.exp(log_probability).sum(1, keepdims=True))
header.write(__file__, f"numpy {np.__version__}", "metrics", {
    "confusion": confusion.astype("uint64"),
    "accuracy": np.float64(hits.sum() / ROWS),
    "precision": ratio(hits, taken),
    "recall": ratio(hits, truths),
    "f1": f1,
    "macro_f1": np.float64(f1[truths + taken > 0].mean()),
    "log_loss": np.float64(-log_probability[np.arange(ROWS), labels].mean()),
})
