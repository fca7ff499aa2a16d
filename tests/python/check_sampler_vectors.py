"""Computes the draws of tests/golden/sampler-vectors.json from their definition, in plain Python and independently of the samplers.

usage: python3 check_sampler_vectors.py < sampler-vectors.json

Draws with changing weights use exact cumulative fractions, and draws with frozen weights exact alias cells. So agreement also shows
that rounding in the samplers changes no draw.
"""

import json
import math
import sys
from bisect import bisect_right
from fractions import Fraction

MASK = 0xFFFFFFFF
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry2x32(counter, key):
    """Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011; 20 rounds."""
    keys = (*key, 0x1BD11BDA ^ key[0] ^ key[1])
    x, y = (counter[0] + keys[0]) & MASK, (counter[1] + keys[1]) & MASK
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x = (x + y) & MASK
            y = (y << rotation | y >> (32 - rotation)) & MASK ^ x
        x = (x + keys[(group + 1) % 3]) & MASK
        y = (y + keys[(group + 2) % 3] + group + 1) & MASK
    return x, y


def uniform(seed, index):
    """53 bits as an integer; the uniform number is this integer / 2^53."""
    high, low = threefry2x32((index & MASK, index >> 32), (seed & MASK, seed >> 32 & MASK))
    return (high >> 5) << 26 | low >> 6


def cumulate(weights):
    """Exact partial sums."""
    sums, total = [], Fraction(0)
    for weight in weights:
        total += Fraction(weight)
        sums.append(total)
    return sums


def find(sums, bits):
    return bisect_right(sums, Fraction(bits, 2**53) * sums[-1])


def alias_cells(weights):
    """Fills the cell of each small weight from the first large weight that remains; exact."""
    total = sum(map(Fraction, weights))
    left = [Fraction(weight) * len(weights) / total for weight in weights]
    larges = [position for position, share in enumerate(left) if share > 1]
    cells = [(Fraction(1), position) for position in range(len(weights))]
    large = 0
    for small in [position for position, share in enumerate(left) if share <= 1]:
        if large == len(larges):
            break
        cells[small] = (left[small], larges[large])
        left[larges[large]] -= 1 - left[small]
        while large + 1 < len(larges) and left[larges[large]] < 1:
            cells[larges[large]] = (left[larges[large]], larges[large + 1])
            left[larges[large + 1]] -= 1 - left[larges[large]]
            large += 1
    return cells


def pick(cells, bits):
    at = Fraction(bits, 2**53) * len(cells)
    cell = math.floor(at)
    share, alias = cells[cell]
    return cell if at - cell < share else alias


def check(name, actual, expected):
    for draw, (seen, wanted) in enumerate(zip(actual, expected, strict=True)):
        if seen != wanted:
            sys.exit(f"{name} draw {draw} is {seen} and should be {wanted}")
    print(name, len(actual))


def main():
    vectors = json.load(sys.stdin)
    seed, weights, update = vectors["seed"], vectors["weights"], vectors["update"]
    changed = list(weights)
    for position, weight in zip(update["positions"], update["weights"], strict=True):
        changed[position] = weight

    before, after = cumulate(weights), cumulate(changed)
    count = len(vectors["changing"])
    check(
        "changing",
        vectors["changing"],
        [find(before if draw < update["next"] else after, uniform(seed, draw)) for draw in range(count)],
    )
    cells = alias_cells(weights)
    check("frozen", vectors["frozen"], [pick(cells, uniform(seed, draw)) for draw in range(len(vectors["frozen"]))])
    size = len(weights)
    check("uniform", vectors["uniform"], [uniform(seed, draw) * size >> 53 for draw in range(len(vectors["uniform"]))])
    waits = {
        position: -math.log1p(-uniform(seed, position) / 2**53) / weight
        for position, weight in enumerate(weights)
        if weight > 0
    }
    check("subset", vectors["subset"], sorted(waits, key=waits.__getitem__)[: len(vectors["subset"])])


main()
