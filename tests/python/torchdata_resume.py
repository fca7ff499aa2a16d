"""Resumes torchdata's StatefulDataLoader with torch's WeightedRandomSampler from every step, and reports where it is wrong.

Prints one JSON object: for each case, the number of resumed runs that continued differently from the original run.
"""

import json

import torch
from torch.utils.data import WeightedRandomSampler
from torchdata.stateful_dataloader import StatefulDataLoader

ITEMS = 40
WEIGHTS = [1.0 + (position % 7) for position in range(ITEMS)]
EPOCHS = 3


def loader(seed):
    """A loader of single positions; with `seed` None the sampler uses its default generator."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    sampler = WeightedRandomSampler(WEIGHTS, ITEMS, replacement=True, generator=generator)
    return StatefulDataLoader(list(range(ITEMS)), batch_size=None, sampler=sampler)


def wrong_resumes(seed):
    """Per epoch, the number of resumes that continue differently from the original run."""
    wrong = []
    torch.manual_seed(1)
    whole = loader(seed)
    for epoch in range(EPOCHS):
        drawn, states = [], []
        for position in whole:
            drawn.append(int(position))
            states.append(whole.state_dict())
        mismatches = 0
        for step in range(0, ITEMS - 1, 4):
            torch.manual_seed(2)
            resumed = loader(seed)
            resumed.load_state_dict(states[step])
            mismatches += [int(position) for position in resumed] != drawn[step + 1 :]
        wrong.append(mismatches)
    return wrong


print(json.dumps({"resumes_an_epoch": len(range(0, ITEMS - 1, 4)), "own_generator": wrong_resumes(0), "default_generator": wrong_resumes(None)}))
