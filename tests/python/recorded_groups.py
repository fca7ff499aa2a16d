"""Writes tests/golden/trl/recorded-groups.json: steps on recorded answers and mixes of the reference, by the code of TRL 1.16.0 itself.

Arguments: the folder of the package trl, the folder tests/golden, and the file to write. Needs torch and transformers.
"""

import json
import sys
import textwrap
from collections import defaultdict
from types import SimpleNamespace

import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM


def block(source: str, first: str, last: str) -> str:
    """The lines from the one that begins with `first` to the one before `last`, without their indent."""
    start = source.index(first)
    start = source.rindex("\n", 0, start) + 1
    end = source.index(last, start)
    end = source.rindex("\n", 0, end) + 1
    return textwrap.dedent(source[start:end])


def nanstd(tensor: torch.Tensor, dim: int) -> torch.Tensor:
    return tensor.std(dim=dim)  # no reward is missing here


def main(trl: str, golden: str, out: str) -> None:
    trainer = open(f"{trl}/trainer/grpo_trainer.py", encoding="utf-8").read()
    callbacks = open(f"{trl}/trainer/callbacks.py", encoding="utf-8").read()
    loss_scope = dict(torch=torch, nanmin=torch.min, nanmax=torch.max)
    exec(block(trainer, "def _compute_loss(self, model, inputs)", "def prediction_step("), loss_scope)
    advantages_code = block(trainer, "# A completion for which every reward", 'elif self.multi_objective_aggregation == "normalize')
    sync_scope = dict(TrainerCallback=object, AcceleratorState=lambda: SimpleNamespace(deepspeed_plugin=None))
    source = "from __future__ import annotations\n" + block(callbacks, "class SyncRefModelCallback", "class RichProgressCallback")
    exec(source, sync_scope)

    batch = load_file(f"{golden}/llama/golden.safetensors")
    rows = lambda name: [ids[mask == 1] for ids, mask in zip(batch[f"grpo.{name}_ids"], batch[f"grpo.{name}_mask"])]
    prompts, answers = rows("prompt")[:4], rows("completion")
    rewards = torch.tensor([[1.0], [0.0]] * 4)  # chosen, rejected
    group = SimpleNamespace(multi_objective_aggregation="sum_then_normalize", scale_rewards="group", reward_weights=torch.ones(1))
    scope = dict(torch=torch, self=group, rewards_per_func=rewards, num_generations=2, device="cpu", nanstd=nanstd)
    exec(advantages_code, scope)
    width = max(map(len, prompts))
    length = max(map(len, answers))
    padded = lambda ids, before, after: torch.cat([ids.new_zeros(before), ids, ids.new_zeros(after)])
    left = [padded(prompts[row // 2], width - len(prompts[row // 2]), 0) for row in range(8)]
    left_mask = [padded(torch.ones_like(prompts[row // 2]), width - len(prompts[row // 2]), 0) for row in range(8)]
    inputs = dict(
        prompt_ids=torch.stack(left),
        prompt_mask=torch.stack(left_mask),
        completion_ids=torch.stack([padded(ids, 0, length - len(ids)) for ids in answers]),
        completion_mask=torch.stack([padded(torch.ones_like(ids), 0, length - len(ids)) for ids in answers]),
        advantages=scope["advantages"],
        num_items_in_batch=torch.tensor(float(sum(map(len, answers)))),
    )
    identity = lambda tensor, **_: tensor
    accelerator = SimpleNamespace(num_processes=1, reduce=identity, gather=identity, unwrap_model=identity)

    def log_probabilities(_, model, input_ids, attention_mask, logits_to_keep):
        logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, -logits_to_keep - 1 : -1]
        all_logps = logits.log_softmax(-1)
        logps = all_logps.gather(-1, input_ids[:, -logits_to_keep:].unsqueeze(-1)).squeeze(-1)
        return logps, -(all_logps.exp() * all_logps).sum(-1).detach(), None

    cases = {}
    for name, (loss_type, beta, sync_steps) in {
        "dapo": ("dapo", 0.0, None),
        "grpo": ("grpo", 0.0, None),
        "kl": ("grpo", 0.2, None),
        "sync": ("grpo", 0.2, 2),
    }.items():
        torch.manual_seed(0)
        model = LlamaForCausalLM.from_pretrained(f"{golden}/llama", attn_implementation="eager").train()
        reference = LlamaForCausalLM.from_pretrained(f"{golden}/llama", attn_implementation="eager").eval()
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
        args = SimpleNamespace(
            use_bias_correction_kl=True, delta=None, steps_per_generation=1, ref_model_sync_steps=sync_steps, ref_model_mixup_alpha=0.6
        )
        self = SimpleNamespace(
            aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token",
            beta=beta, args=args, loss_type=loss_type, epsilon_low=0.2, epsilon_high=0.2, use_vllm=False, model=model,
            current_gradient_accumulation_steps=1, accelerator=accelerator, _entropy_bonus_enabled=False,
            _metrics={"train": defaultdict(list)},
        )
        self._get_per_token_logps_and_entropies = lambda model, ids, mask, keep, **_: log_probabilities(self, model, ids, mask, keep)
        callback = sync_scope["SyncRefModelCallback"](reference, None)
        steps = []
        for step in range(1, 6):
            with torch.no_grad():
                ids, mask = (torch.cat([inputs[f"prompt_{part}"], inputs[f"completion_{part}"]], 1) for part in ("ids", "mask"))
                given = dict(inputs, ref_per_token_logps=log_probabilities(self, reference, ids, mask, length)[0])
            loss = loss_scope["_compute_loss"](self, model, given)
            optimizer.zero_grad()
            loss.backward()
            norm = torch.sqrt(sum((parameter.grad**2).sum() for parameter in model.parameters()))
            optimizer.step()
            if sync_steps is not None:
                callback.on_step_end(args, SimpleNamespace(global_step=step), None, model=model)
            kl = self._metrics["train"]["kl"]
            steps.append({"loss": loss.item(), "grad_norm": norm.item(), **({"kl": kl[-1]} if kl else {})})
        cases[name] = {"loss_type": loss_type, "beta": beta, "sync_steps": sync_steps, "steps": steps}
        if sync_steps is not None:
            cases[name]["reference_norm"] = reference.model.norm.weight.tolist()
    with open(out, "w") as file:
        pairs = [
            {"prompt": prompts[row].tolist(), "chosen": answers[2 * row].tolist(), "rejected": answers[2 * row + 1].tolist()}
            for row in range(4)
        ]
        json.dump({"learning_rate": 3e-3, "mixup_alpha": 0.6, "pairs": pairs, "cases": cases}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
