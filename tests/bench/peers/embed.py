"""sentence-transformers' encode, for embed.bench.mjs.

Reads one request per line from stdin, {"folder", "texts"}, and answers each with one line {"cpu", "wall"} in seconds. A folder without
weights for torch is opened with the same architecture and random weights, which takes the same time.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from sentence_transformers import SentenceTransformer
from transformers import AutoConfig, AutoModel


def load(folder):
    if any(Path(folder).glob("*.safetensors")) or Path(folder, "pytorch_model.bin").exists():
        return SentenceTransformer(folder, device="cpu")
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("onnx"), copy_function=shutil.copyfile)
        Path(copy).chmod(0o755)
        AutoModel.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(copy)
        return SentenceTransformer(copy, device="cpu")


models = {}
for line in sys.stdin:
    request = json.loads(line)
    folder = request["folder"]
    if folder not in models:
        models[folder] = load(folder)
    cpu, wall = time.process_time(), time.perf_counter()
    models[folder].encode(request["texts"], show_progress_bar=False)
    print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}), flush=True)
