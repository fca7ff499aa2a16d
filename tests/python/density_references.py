"""Writes tests/golden/density-references.json: kernel densities by scikit-learn, rank correlations by scipy, draws by numpy.

usage: python3 density_references.py > ../golden/density-references.json   (numpy, scipy and scikit-learn installed)
"""

import json
from itertools import combinations

import numpy
import scipy
import sklearn
from scipy.stats import spearmanr
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KernelDensity

random = numpy.random.default_rng(5)
points = (random.normal(size=(40, 6)) * random.choice([0.2, 1.0], size=(40, 1)) + 0.3).astype(numpy.float32)
points[7] = points[3]  # equal rows
points[31] = points[3]
queries = random.normal(size=(8, 6)).astype(numpy.float32)
queries[0] = points[3]


def kernel_means(kernel, bandwidth, fitted, scored):
    """Mean of a kernel that is 1 at distance 0: scikit-learn's density divided by that of a single row at itself."""
    estimator = KernelDensity(kernel=kernel, bandwidth=bandwidth, algorithm="auto", rtol=0)
    peak = estimator.fit(fitted[:1].astype(float)).score_samples(fitted[:1].astype(float))[0]
    return numpy.exp(estimator.fit(fitted.astype(float)).score_samples(scored.astype(float)) - peak)


def angular_means(power, fitted, scored):
    angles = numpy.arccos(numpy.clip(cosine_similarity(scored.astype(float), fitted.astype(float)), -1, 1))
    return ((1 - angles / numpy.pi) ** power).mean(axis=1)


def case(means):
    """Scores each row under a fit of the other rows, and the queries under a fit of all rows."""
    rows = range(len(points))
    return {
        "leave_one_out": [float(means(numpy.delete(points, row, 0), points[row : row + 1])[0]) for row in rows],
        "scores": means(points, queries).tolist(),
    }


kernels = [
    {"kernel": kernel, "bandwidth": bandwidth, **case(lambda fitted, scored: kernel_means(kernel, bandwidth, fitted, scored))}
    for kernel in ("gaussian", "exponential")
    for bandwidth in (0.15, 0.7, 3.0)
] + [{"kernel": "angular", "power": power, **case(lambda fitted, scored: angular_means(power, fitted, scored))} for power in (1, 4, 9)]

rankings = []
for size, levels in ((12, 4), (50, 7), (200, 1000), (30, 2)):
    a = random.integers(0, levels, size).astype(float)
    b = a + random.integers(0, levels, size)
    rankings.append({"a": a.tolist(), "b": b.tolist(), "spearman": float(spearmanr(a, b).statistic)})

# Frequencies of each subset of 3 of these 8, drawn without replacement, as in golden.json.
p = [0.3, 0.22, 0.15, 0.11, 0.08, 0.06, 0.05, 0.03]
samples = 200_000
sets = list(combinations(range(8), 3))
counts = dict.fromkeys(sets, 0)
for _ in range(samples):
    counts[tuple(sorted(random.choice(8, 3, replace=False, p=p).tolist()))] += 1

print(
    json.dumps(
        {
            "versions": {"numpy": numpy.__version__, "scipy": scipy.__version__, "sklearn": sklearn.__version__},
            "points": points.astype(float).tolist(),
            "queries": queries.astype(float).tolist(),
            "kernels": kernels,
            "rankings": rankings,
            "subsets": {"p": p, "size": 3, "samples": samples, "sets": sets, "counts": list(counts.values())},
        }
    )
)
