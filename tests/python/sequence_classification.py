"""Scores token rows with AutoModelForSequenceClassification and saves each model again.

usage: sequence_classification.py ROWS.json FOLDER OUT [FOLDER OUT ...]
Prints one line of JSON per FOLDER: the rewards of all rows in one padded batch, and what the loader missed.
"""

import json
import sys

import torch
from transformers import AutoModelForSequenceClassification

rows_file, *folders = sys.argv[1:]
rows = json.load(open(rows_file))
longest = max(map(len, rows))
for folder, out in zip(folders[::2], folders[1::2]):
    model, loading = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    model.eval()
    pad = model.config.pad_token_id
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    with torch.no_grad():
        rewards = model(input_ids=ids, attention_mask=mask).logits.squeeze(-1)
    model.save_pretrained(out)
    print(
        json.dumps(
            {
                "rewards": rewards.tolist(),
                "class": type(model).__name__,
                "missing": sorted(loading["missing_keys"]),
                "unexpected": sorted(loading["unexpected_keys"]),
            }
        )
    )
