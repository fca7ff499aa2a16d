"""Writes tests/golden/trl/sampling-corrections.json: importance ratios and metrics, by the code of TRL 1.16.0 itself.

Arguments: the path of trl/trainer/grpo_trainer.py, and of the file to write. Needs torch.
"""

import json
import math
import sys
import textwrap
from types import SimpleNamespace

import torch


def block(source: str, first: str, last: str) -> str:
    """The lines from the one that begins with `first` to the one before `last`, without their indent."""
    start = source.index(first)
    start = source.rindex("\n", 0, start) + 1
    end = source.index(last, start)
    end = source.rindex("\n", 0, end) + 1
    return textwrap.dedent(source[start:end])


def main(trainer: str, out: str) -> None:
    source = open(trainer, encoding="utf-8").read()
    ratio = block(source, "# Compute the importance sampling ratio when using vLLM", "# Compute the per-token log probabilities for the")
    metrics = block(source, "if self.use_vllm and self.vllm_importance_sampling_correction:\n            delta = torch.abs", "output = {")
    generator = torch.Generator().manual_seed(7)
    rows, length = 6, 5
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    old = -3 * torch.rand(rows, length, generator=generator)
    noise = torch.randn(rows, length, generator=generator)
    sampling = old - noise * torch.tensor([[0.05], [1.5], [0.02], [0.4], [0.3], [0.8]])
    sampling[2, 1] = float("nan")
    numbers = lambda tensor: [[None if math.isnan(value) else value for value in row] for row in tensor.tolist()]
    cases = []
    for mode in ["token_truncate", "token_mask", "sequence_truncate", "sequence_mask"]:
        for clip_max, clip_min in [(3.0, None), (1.2, 0.5), (None, 0.8)]:
            recorded = {}
            self = SimpleNamespace(
                use_vllm=True,
                vllm_importance_sampling_correction=True,
                vllm_importance_sampling_mode=mode,
                vllm_importance_sampling_clip_max=clip_max,
                vllm_importance_sampling_clip_min=clip_min,
                accelerator=SimpleNamespace(gather=lambda tensor: tensor),
                _metrics={"train": type("Metrics", (), {"__getitem__": lambda _, name: recorded.setdefault(name, [])})()},
            )
            scope = dict(
                self=self, torch=torch, math=math, mode="train", device="cpu", tool_mask=None, completion_mask=mask,
                old_per_token_logps=old, sampling_per_token_logps=sampling,
                nanmin=lambda tensor: tensor.min(), nanmax=lambda tensor: tensor.max(),
            )
            exec(ratio, scope)
            exec(metrics, scope)
            cases.append({
                "mode": mode,
                "clipMax": clip_max,
                "clipMin": clip_min,
                "ratio": numbers(scope["vllm_importance_sampling_ratio"]),
                "metrics": {name: values[0] for name, values in recorded.items()},
            })
    content = {"mask": mask.tolist(), "old": numbers(old), "sampling": numbers(sampling), "cases": cases}
    with open(out, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=1) + "\n")


main(*sys.argv[1:])
