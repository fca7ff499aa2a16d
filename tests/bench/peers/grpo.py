"""One GRPO step of the same GPT-2 in PyTorch on one thread, for grpo.bench.mjs.

Reads one request per line from stdin: first {"config", "tokens", "advantages", "rows", "promptLength"}, then {} per step. Answers
the first with {} and each step with one line {"ms"}, its CPU time. Attention and loss are those that transformers and TRL run:
scaled_dot_product_attention, log-probabilities and entropies of the completions alone, DAPO's mean over tokens, clipping to norm 1,
AdamW.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
torch.manual_seed(1)


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.mlp_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.c_attn(self.ln_1(x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.c_proj(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config["n_embd"]
        self.wte = nn.Embedding(config["vocab_size"], width)
        self.wpe = nn.Embedding(config["n_positions"], width)
        self.layers = nn.ModuleList(Layer(width, config["n_head"]) for _ in range(config["n_layer"]))
        self.ln_f = nn.LayerNorm(width)
        for weights in (self.wte, self.wpe):
            nn.init.normal_(weights.weight, std=0.02)

    def forward(self, ids, first):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.ln_f(x)[:, first - 1 : -1] @ self.wte.weight.T


setup = json.loads(sys.stdin.readline())
model = Model(setup["config"])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0)
ids = torch.tensor(setup["tokens"]).view(setup["rows"], -1)
advantages = torch.tensor(setup["advantages"]).unsqueeze(1)
first = setup["promptLength"]
print("{}", flush=True)


def step():
    logits = model(ids, first)
    log_probabilities = torch.log_softmax(logits, -1).gather(-1, ids[:, first:].unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():  # for the log of the run
        logs = torch.log_softmax(logits, -1)
        entropy = -(logs.exp() * logs).sum(-1).mean()
    ratio = torch.exp(log_probabilities - log_probabilities.detach())
    loss = -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item(), entropy.item()


for _ in sys.stdin:
    before = time.process_time()
    step()
    print(json.dumps({"ms": 1000 * (time.process_time() - before)}), flush=True)
