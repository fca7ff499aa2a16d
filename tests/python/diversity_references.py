"""Writes tests/golden/diversity.json: diversity metrics by published implementations.

usage: python3 diversity_references.py > ../golden/diversity.json
needs: nltk, scikit-bio, scikit-learn, scipy, vendi-score, lexicalrichness (and its matplotlib, pandas, textblob), regex
"""

import gzip
import json
import unicodedata
from collections import Counter
from fractions import Fraction
from importlib.metadata import version
from itertools import combinations

import nltk
import numpy
import regex
import scipy
from lexicalrichness import LexicalRichness
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from skbio.diversity.alpha import hill
from sklearn.metrics.pairwise import cosine_distances
from vendi_score import vendi

texts = [
    "Boil the water, add salt, then add the pasta and stir it once.",
    "Boil the water, add the pasta, stir it once and drain it after nine minutes.",
    "Bring the water to a boil; don't forget the salt — it matters more than the oil.",
    "First, boil the water. First, boil the water. First, boil the water. Then add the rice.",
    "Rinse the rice until the water runs clear, then cook the rice in the water until the rice is soft.",
    "Restart the router, wait for a minute, and restart the router again if the light stays red.",
    "Restart the router, wait for a minute, and restart the router again if the light stays red.",
    "Unplug it.",
    "No",
    "L’eau bout à cent degrés; l'eau gèle à zéro degré.",
    "Why not ask your sister, who lives by the sea and repairs boats, whether the old pump can still be saved?",
    "The pump can be saved. The pump can be saved by the sister. The sister lives by the sea, by the boats.",
]
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*")
tokens = [WORD.findall(unicodedata.normalize("NFC", text).replace("’", "'").lower()) for text in texts]
sequence = [token for text in tokens for token in text]


def grams(n):
    return [gram for text in tokens for gram in nltk.ngrams(text, n)]


def self_bleu(sentences, n):
    """As `self_bleu` of vendi_score.text_utils and SelfBleu of Texygen, which takes n = 3."""
    scores = [
        sentence_bleu(
            sentences[:i] + sentences[i + 1 :],
            sentences[i],
            weights=[1 / n] * n,
            smoothing_function=SmoothingFunction().method1,
        )
        for i in range(len(sentences))
    ]
    return float(numpy.mean(scores))


def distinct(n):
    return len(set(grams(n))) / len(grams(n))


def expectation_adjusted_distinct(vocabulary):
    """ExpectationAdjustedDistinctNgrams of facebookresearch/rlfh-gen-div, n = 1; exact instead of in float64."""
    v = Fraction(vocabulary)
    return float(len(set(sequence)) / (v * (1 - ((v - 1) / v) ** len(sequence))))


def mattr(list_of_words, window):
    richness = LexicalRichness(" ".join(list_of_words), preprocessor=None, tokenizer=str.split)
    return richness.mattr(window_size=window)


def hdd(list_of_words, draws):
    return LexicalRichness(" ".join(list_of_words), preprocessor=None, tokenizer=str.split).hdd(draws=draws)


random = numpy.random.default_rng(3)
wide = random.normal(size=(7, 20)).astype(numpy.float32)
wide[5] = 3 * wide[2]  # equal directions
long = (random.normal(size=(40, 6)) + 1).astype(numpy.float32)
probabilities = random.uniform(size=7)
probabilities /= probabilities.sum()
ORDERS = [0.5, 1, 1.5, 2, 5, "inf"]


def vendi_case(points):
    unit = points.astype(float) / numpy.linalg.norm(points.astype(float), axis=1, keepdims=True)
    kernel = unit @ unit.T
    distances = cosine_distances(points.astype(float))
    numpy.fill_diagonal(distances, numpy.inf)
    n = len(points)
    return {
        "points": points.astype(float).tolist(),
        "similarity": kernel.tolist(),
        "scores": [{"order": order, "vendi": float(vendi.score_K(kernel, q=order))} for order in ORDERS],
        "dual": float(vendi.score_dual(points.astype(float), q=1)),
        "pairwise": float(distances[~numpy.eye(n, dtype=bool)].mean()),
        "nearest": float(distances.min(axis=1).mean()),
    }


labels = ["a", "b", "a", "c", "a", "b", "d", "e", "a", "d"]
good = [True, True, True, False, True, False, True, False, True, True]
log_probabilities = (-random.uniform(0.5, 12, size=len(labels))).tolist()
utilities = random.uniform(1, 10, size=len(labels)).round(3).tolist()
counts = list(Counter(labels).values())


def expected_distinct(k, counted):
    """Mean over all subsets of k answers, exact."""
    subsets = list(combinations(range(len(labels)), k))
    total = sum(len({labels[i] for i in subset if counted[i]}) for subset in subsets)
    return float(Fraction(total, len(subsets)))


def pass_at_k(n, c, k):
    """Figure 3 of Chen et al., arXiv 2107.03374."""
    if n - c < k:
        return 1.0
    return float(1.0 - numpy.prod(1.0 - k / numpy.arange(n - c + 1, n + 1)))


def cluster_assignment_entropy(ids):
    """jlko/semantic_uncertainty, semantic_entropy.py."""
    shares = numpy.array(list(Counter(ids).values())) / len(ids)
    return float(-(shares * numpy.log(shares)).sum())


def predictive_entropy_rao(ids, log_likelihoods):
    """jlko/semantic_uncertainty: logsumexp_by_id with agg='sum_normalized', then predictive_entropy_rao."""
    normalized = numpy.array(log_likelihoods) - scipy.special.logsumexp(log_likelihoods)
    per_class = [scipy.special.logsumexp(normalized[[i for i, x in enumerate(ids) if x == u]]) for u in sorted(set(ids))]
    return float(-numpy.sum(numpy.exp(per_class) * per_class))


def utility(patience):
    """score.py of novelty-bench/novelty-bench: scores of later members of a class are 0."""
    scores = [u if label not in labels[:i] else 0 for i, (label, u) in enumerate(zip(labels, utilities))]
    return float(numpy.average(scores, weights=patience ** numpy.arange(len(scores))))


prose = " ".join(text for _ in range(6) for text in texts)
packages = ["nltk", "numpy", "regex", "scipy", "scikit-bio", "scikit-learn", "vendi-score", "lexicalrichness"]
print(
    json.dumps(
        {
            "versions": {name: version(name) for name in packages},
            "texts": texts,
            "tokens": tokens,
            "distinct": [{"n": n, "value": distinct(n)} for n in range(1, 6)],
            "entropy": [
                {"n": n, "value": float(scipy.stats.entropy(list(Counter(grams(n)).values())))} for n in range(1, 5)
            ],
            "ead": [{"vocabulary": v, "value": expectation_adjusted_distinct(v)} for v in (150, 1000, 50257)],
            "self_bleu": [
                {"texts": size, "n": n, "value": self_bleu(tokens[:size], n)} for size in (2, 7, 12) for n in (1, 2, 3, 4, 5)
            ],
            "mattr_within": [{"text": i, "window": w, "value": mattr(tokens[i], w)} for i in (3, 4, 11) for w in (5, 10)],
            "mattr_across": [{"window": w, "value": mattr(sequence, w)} for w in (10, 50, 100)],
            "hdd": [{"draws": d, "value": hdd(sequence, d)} for d in (10, 42, 100)],
            "compression": [{"text": text, "bytes": len(text.encode()), "gzip": len(gzip.compress(text.encode(), 9))} for text in (" ".join(texts), prose)],
            "vendi": {"wide": vendi_case(wide), "long": vendi_case(long)},
            "vendi_weighted": {
                "probabilities": probabilities.tolist(),
                "scores": [
                    {"order": order, "vendi": float(vendi.score_K(wide.astype(float) @ wide.astype(float).T, q=order, p=probabilities, normalize=True))}
                    for order in ORDERS
                ],
            },
            "hill": [{"counts": c, "order": q, "value": float(hill(c, order=q))} for c in (counts, [1, 1, 1], [7], [120, 3, 1, 1, 50]) for q in (0, 0.5, 1, 2, 3)],
            "classes": {
                "labels": labels,
                "good": good,
                "log_probabilities": log_probabilities,
                "utilities": utilities,
                "expected_distinct": [
                    {"k": k, "all": expected_distinct(k, [True] * 10), "good": expected_distinct(k, good)} for k in range(1, 11)
                ],
                "pass_at_k": [{"c": c, "k": k, "value": pass_at_k(10, c, k)} for c in (0, 1, 4, 10) for k in (1, 2, 5, 10)],
                "assignment_entropy": cluster_assignment_entropy(labels),
                "rao_entropy": predictive_entropy_rao(labels, log_probabilities),
                "utility": [{"patience": p, "value": utility(p)} for p in (0.5, 0.8, 1)],
            },
        },
        ensure_ascii=False,
    )
)
