#!/usr/bin/env python3
"""Areas under the ROC curve with DeLong's standard error, by the definition -> tests/fixtures/roc.hpp.

Scores and labels come from formulas that the test repeats, exact in double: score[i] = ((37 i + i^2 div 7) mod 41) / 8,
label[i] = 1 where (i^2 + 3 i) mod 11 < (4 if score[i] < 2.5 else 7); 200 rows, with many ties. The area is scikit-learn's;
the variance is that of the structural components (DeLong, DeLong, Clarke-Pearson, Biometrics 44, 1988, equations 3 to 5),
by all pairs. Needs numpy and scikit-learn.
"""
import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

import header

i = np.arange(200)
score = ((37 * i + i**2 // 7) % 41) / 8
label = ((i**2 + 3 * i) % 11 < np.where(score < 2.5, 4, 7)).astype(int)


def delong(score, label):
    x, y = score[label == 1], score[label == 0]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    assert abs(psi.mean() - roc_auc_score(label, score)) < 1e-12
    v, w = psi.mean(1), psi.mean(0)
    return np.float64(roc_auc_score(label, score)), np.float64(np.sqrt(v.var(ddof=1) / len(x) + w.var(ddof=1) / len(y)))


area, deviation = delong(score, label)
few_area, few_deviation = delong(score[:12], label[:12])
header.write(__file__, f"numpy {np.__version__}, scikit-learn {sklearn.__version__}", "roc", {
    "positives": np.uint64(label.sum()),
    "area": area,
    "deviation": deviation,
    "few_positives": np.uint64(label[:12].sum()),
    "few_area": few_area,
    "few_deviation": few_deviation,
})
