"""Writes tests/golden/statistics.json: tests, intervals, power and variance components by published implementations.

usage: python3 statistics_references.py > ../golden/statistics.json
needs: scipy, statsmodels (and its numpy, pandas)
"""

import json
from importlib.metadata import version
from math import exp, inf, lgamma, sqrt

import numpy as np
import pandas as pd
from scipy import optimize, stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower

rng = np.random.default_rng(13)


def rounded(values):
    return [float(value) for value in np.round(values, 4)]


ARMS = [
    ([1.16, 1.31, 1.02, 1.24, 1.1], [0.94, 1.12, 1.07, 0.88, 1.01]),
    ([3.0, 3.0, 4.0, 5.0], [3.0, 2.0, 3.0, 1.0]),  # ties
    (rounded(rng.normal(0.3, 1, 7)), rounded(rng.normal(0, 1, 7))),
    (rounded(rng.normal(5, 1, 4)), rounded(rng.normal(3, 2, 8))),
    (rounded(rng.normal(0, 1, 8)), rounded(rng.normal(6, 1, 8))),
]


def difference(a, b, axis=-1):
    return np.mean(a, axis=axis) - np.mean(b, axis=axis)


def permutation(a, b, alternative):
    return float(stats.permutation_test((a, b), difference, n_resamples=inf, alternative=alternative, vectorized=True).pvalue)


def sign_flip(values, alternative):
    test = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=inf, alternative=alternative)
    return float(test.pvalue)


def hedges(a, b, level):
    n, m = len(a), len(b)
    df = n + m - 2
    pooled = sqrt((np.var(a, ddof=1) * (n - 1) + np.var(b, ddof=1) * (m - 1)) / df)
    d = (np.mean(a) - np.mean(b)) / pooled
    scale = sqrt(n * m / (n + m))
    bounds = [
        optimize.brentq(lambda nc: stats.nct.cdf(d * scale, df, nc) - p, d * scale - 8, d * scale + 8, xtol=1e-10) / scale
        for p in ((1 + level) / 2, (1 - level) / 2)
    ]
    return float(d * exp(lgamma(df / 2) - lgamma((df - 1) / 2)) / sqrt(df / 2)), [float(x) for x in bounds]


def effect(a, b, level):
    welch = stats.ttest_ind(a, b, equal_var=False)
    interval = welch.confidence_interval(level)
    g, bounds = hedges(a, b, level)
    return {
        "a": a,
        "b": b,
        "level": level,
        "interval": [float(interval.low), float(interval.high)],
        "degrees": float(welch.df),
        "g": g,
        "hedges_interval": bounds,
    }


def bootstrap(samples, level):
    statistic = np.mean if len(samples) == 1 else difference
    common = {"confidence_level": level, "n_resamples": 499, "vectorized": True}
    made = [stats.bootstrap(samples, statistic, rng=np.random.default_rng(5), method=method, **common) for method in ("percentile", "BCa")]
    assert np.array_equal(made[0].bootstrap_distribution, made[1].bootstrap_distribution)
    many = {**common, "n_resamples": 200_000}
    precise = [stats.bootstrap(samples, statistic, rng=np.random.default_rng(6), method=method, **many) for method in ("percentile", "BCa")]
    ends = lambda result: [float(result.confidence_interval.low), float(result.confidence_interval.high)]
    return {
        "samples": samples,
        "level": level,
        "distribution": [float(value) for value in made[0].bootstrap_distribution],
        "percentile": ends(made[0]),
        "bca": ends(made[1]),
        "standard_error": float(made[0].standard_error),
        "precise": {"percentile": ends(precise[0]), "bca": ends(precise[1]), "standard_error": float(precise[0].standard_error)},
    }


def mean_squares(values):
    runs, prompts, samples = values.shape
    rows = [
        {"run": r, "prompt": p, "value": values[r, p, s]} for r in range(runs) for p in range(prompts) for s in range(samples)
    ]
    table = anova_lm(ols("value ~ C(run) * C(prompt)", pd.DataFrame(rows)).fit())
    names = {"run": "C(run)", "prompt": "C(prompt)", "runPrompt": "C(run):C(prompt)", "sample": "Residual"}
    return {name: float(table.loc[row, "mean_sq"]) for name, row in names.items()}


table = np.round(
    3
    + rng.normal(0, 0.6, (5, 1, 1))
    + rng.normal(0, 1.5, (1, 6, 1))
    + rng.normal(0, 0.5, (5, 6, 1))
    + rng.normal(0, 1.0, (5, 6, 3)),
    3,
)

FAMILIES = [[0.01, 0.04, 0.03, 0.005], [0.5, 0.02, 0.02, 0.9, 0.0001], [0.2]]
skewed = rounded(rng.exponential(1, 12))

print(
    json.dumps(
        {
            "versions": {name: version(name) for name in ("scipy", "statsmodels", "numpy")},
            "permutation": [
                {"a": a, "b": b, "greater": permutation(a, b, "greater"), "less": permutation(a, b, "less")}
                | ({"two-sided": permutation(a, b, "two-sided")} if len(a) == len(b) else {})
                for a, b in ARMS
            ],
            "sign_flip": [
                {"differences": values} | {name: sign_flip(values, name) for name in ("two-sided", "greater", "less")}
                for values in ([0.05, -0.01, 0.08, 0.03, 0.06, 0.02], [1.0, 0.0, -1.0, 2.0, 2.0], rounded(rng.normal(0.5, 1, 10)))
            ],
            "correlation": [{"a": a, "b": b, "value": float(stats.pearsonr(a, b).statistic)} for a, b in ARMS if len(a) == len(b)],
            "holm": [{"p": p, "adjusted": [float(x) for x in multipletests(p, method="holm")[1]]} for p in FAMILIES],
            "effects": [effect(a, b, level) for (a, b), level in zip(ARMS, (0.95, 0.9, 0.95, 0.95, 0.99))],
            "noncentral_t": [
                {"value": t, "degrees": df, "noncentrality": nc, "probability": float(stats.nct.cdf(t, df, nc))}
                for t, df, nc in [
                    (0.5, 1, 1), (2.1, 2, 0.4), (-1.2, 3, 0.7), (2.145, 14, 2.8), (-2.145, 14, 2.8), (10, 14, 9), (30, 14, 29),
                    (60, 6, 50), (1.98, 98, 2.8), (2, 5000, 2.5), (0, 9, 1),
                ]
            ],
            "t_quantiles": [
                {"probability": p, "degrees": df, "value": float(stats.t.ppf(p, df))}
                for p in (0.6, 0.95, 0.975, 0.9995)
                for df in (1, 2.5, 9.3, 14, 400)
            ],
            "detectable_by_t": [
                {"a": n, "b": m, "alpha": alpha, "power": power, "alternative": alternative, "effect": float(
                    TTestIndPower().solve_power(nobs1=n, ratio=m / n, alpha=alpha, power=power,
                                                alternative=alternative.replace("greater", "larger")))}
                for n, m, alpha, power, alternative in [
                    (8, 8, 0.05, 0.8, "two-sided"), (6, 6, 0.05, 0.9, "greater"), (4, 12, 0.01, 0.8, "two-sided"),
                    (60, 60, 0.05, 0.8, "two-sided"),
                ]
            ],
            "bootstrap": [bootstrap((skewed,), 0.95), bootstrap(ARMS[2], 0.95), bootstrap(ARMS[3], 0.8)],
            "variance": {"values": table.tolist(), "mean_squares": mean_squares(table)},
        },
    )
)
