"""Nearest neighbors by faiss, scikit-learn and PyNNDescent, for neighbors.bench.mjs.

Reads one request per line from stdin, {"file", "rows", "cols", "k", "engine", "metric", "scored"}, where the file contains float32 rows.
Answers each with one line {"cpu", "wall", "recall"}: seconds, and for PyNNDescent the share of the `scored` true nearest that it found
in 1,000 rows. The process stays up between requests, so that compilation and warm-up count once. Everything runs on one thread, because
threads that spin while they wait for each other would count as CPU time.
"""

import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy


def measured(run):
    cpu, wall = time.process_time(), time.perf_counter()
    answer = run()
    return answer, {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def faiss_flat(rows, k, metric, scored):
    import faiss

    index = (faiss.IndexFlatIP if metric == "dot" else faiss.IndexFlatL2)(rows.shape[1])

    def run():
        index.add(rows)
        return index.search(rows, k + 1)

    return measured(run)[1]


def scikit_learn(rows, k, metric, scored):
    from sklearn.neighbors import NearestNeighbors

    return measured(lambda: NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors())[1]


def pynndescent(rows, k, metric, scored):
    from pynndescent import NNDescent

    if not pynndescent.is_warm:
        NNDescent(rows[:2000], n_neighbors=k + 1, metric="euclidean", random_state=1, n_jobs=1)
        pynndescent.is_warm = True
    graph, times = measured(lambda: NNDescent(rows, n_neighbors=k + 1, metric="euclidean", random_state=1, n_jobs=1))
    return {**times, "recall": recall(rows, graph.neighbor_graph, scored)}


pynndescent.is_warm = False


def recall(rows, graph, k):
    """Recall on 1,000 rows: neighbors within 1e-6 of the true k-th distance count as found; the row itself is excluded."""
    ids, _ = graph
    sample = numpy.random.default_rng(2).choice(len(rows), min(1000, len(rows)), replace=False)
    found = 0
    exact = rows.astype(numpy.float64)
    squares = (exact**2).sum(1)
    for row in sample:
        approximate = squares + squares[row] - 2 * (exact @ exact[row])
        nearest = numpy.argpartition(approximate, k + 8)[: k + 9]
        true = numpy.sort(numpy.linalg.norm(exact[nearest[nearest != row]] - exact[row], axis=1))[k - 1]
        own = [other for other in ids[row] if other != row][:k]
        found += int((numpy.linalg.norm(exact[own] - exact[row], axis=1) <= true * (1 + 1e-6) + 1e-6).sum())
    return found / (len(sample) * k)


engines = {"faiss": faiss_flat, "scikit-learn": scikit_learn, "pynndescent": pynndescent}
for line in sys.stdin:
    request = json.loads(line)
    rows = numpy.fromfile(request["file"], dtype=numpy.float32).reshape(request["rows"], request["cols"])
    print(json.dumps(engines[request["engine"]](rows, request["k"], request.get("metric", "dot"), request.get("scored", request["k"]))), flush=True)
