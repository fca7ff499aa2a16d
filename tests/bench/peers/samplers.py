"""Weighted sampling by numpy and, if installed, torch: nanoseconds of CPU time per draw, as one JSON object."""

import json
import time

import numpy

SIZE = 1_000_000
WITHOUT = 100_000


def least(run, operations, rounds=5):
    times = []
    for _ in range(rounds):
        started = time.process_time()
        run()
        times.append((time.process_time() - started) / operations * 1e9)
    return min(times)


random = numpy.random.default_rng(1)
weights = random.lognormal(0, 1.5, SIZE)
probabilities = weights / weights.sum()
result = {
    "numpy": {
        "draw": least(lambda: random.choice(SIZE, SIZE, p=probabilities), SIZE),
        "without_replacement": least(lambda: random.choice(SIZE, WITHOUT, replace=False, p=probabilities), WITHOUT),
    }
}
try:
    import torch
    from torch.utils.data import WeightedRandomSampler
except ImportError:
    pass
else:
    torch.set_num_threads(1)
    tensor = torch.from_numpy(weights)
    result["torch"] = {
        "draw": least(lambda: list(iter(WeightedRandomSampler(tensor, SIZE, replacement=True))), SIZE),
        "without_replacement": least(lambda: list(iter(WeightedRandomSampler(tensor, WITHOUT, replacement=False))), WITHOUT),
    }
print(json.dumps(result))
