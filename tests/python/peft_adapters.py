"""Adapters of PEFT on the small reference models, and a check that PEFT reads ours.

    pip install torch transformers peft
    python peft_adapters.py write     # writes ../golden/lora
    python peft_adapters.py read BASE ADAPTER EXPECTED [BASE ADAPTER EXPECTED ...]

`read` loads each adapter in the folder ADAPTER on the model in the folder BASE, and compares logits (or rewards, if the adapter has a
reward head) with those in the file EXPECTED, which a test wrote with Rarefy: `ids`, `mask`, and `logits` or `rewards`.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

golden = Path(__file__).parent.parent / 'golden'
cases = {
    'gpt2': ('gpt2', dict(r=4, lora_alpha=16, target_modules='all-linear')),
    'llama': ('llama', dict(r=3, lora_alpha=5, target_modules=['q_proj', 'v_proj'], layers_to_transform=[1])),
    'phi3': ('families/phi3', dict(r=2, lora_alpha=4, target_modules=['qkv_proj', 'mlp.down_proj'])),
    'reward': ('llama', dict(r=4, lora_alpha=8, target_modules=['o_proj', 'up_proj'], task_type='SEQ_CLS')),
}


def batch(vocabulary):
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(1, vocabulary, (2, 10), generator=generator)
    mask = torch.ones_like(ids)
    ids[1, 7:] = 0
    mask[1, 7:] = 0
    return ids, mask


def write():
    for name, (base, options) in cases.items():
        torch.manual_seed(5)
        is_reward = options.get('task_type') == 'SEQ_CLS'
        kind = AutoModelForSequenceClassification if is_reward else AutoModelForCausalLM
        more = dict(num_labels=1, pad_token_id=0) if is_reward else {}
        model = kind.from_pretrained(golden / base, dtype=torch.float32, attn_implementation='eager', **more)
        peft = get_peft_model(model, LoraConfig(task_type=options.pop('task_type', 'CAUSAL_LM'), **options)).eval()
        trained = {key: value for key, value in peft.named_parameters() if value.requires_grad}
        for key, value in trained.items():
            if 'lora_B' in key or 'score' in key:
                torch.nn.init.normal_(value, std=0.3)
        ids, mask = batch(model.config.vocab_size)
        expected = dict(ids=ids.int(), mask=mask.int())
        if is_reward:
            expected['rewards'] = peft(ids, attention_mask=mask).logits[:, 0].detach().contiguous()
        else:
            logits = peft(ids, attention_mask=mask).logits
            losses = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction='none')
            loss = (losses * mask[:, 1:]).sum() / mask[:, 1:].sum()
            loss.backward()
            expected['logits'] = logits.detach()
            expected['loss'] = loss.detach().reshape(1)
            for key, value in trained.items():
                short = key.removeprefix('base_model.model.').replace('.default.', '.')
                expected[f'gradient.{short}'] = value.grad
        folder = golden / 'lora' / name
        peft.save_pretrained(folder)
        (folder / 'README.md').unlink(missing_ok=True)
        config = json.loads((folder / 'adapter_config.json').read_text())
        config['base_model_name_or_path'] = '../base'
        (folder / 'adapter_config.json').write_text(json.dumps(config, indent=2, sort_keys=True) + '\n')
        save_file(expected, folder / 'expected.safetensors')


def read(base, adapter, expected_file):
    expected = load_file(expected_file)
    is_reward = 'rewards' in expected
    kind = AutoModelForSequenceClassification if is_reward else AutoModelForCausalLM
    more = dict(num_labels=1, pad_token_id=0) if is_reward else {}
    model = kind.from_pretrained(base, dtype=torch.float32, attn_implementation='eager', **more)
    peft = PeftModel.from_pretrained(model, adapter).eval()
    ids, mask = expected['ids'].long(), expected['mask'].long()
    with torch.no_grad():
        logits = peft(ids, attention_mask=mask).logits
        merged = peft.merge_and_unload()(ids, attention_mask=mask).logits
    if is_reward:
        wanted, found, also = expected['rewards'], logits[:, 0], merged[:, 0]
    else:
        real = mask.bool()
        wanted, found, also = expected['logits'][real], logits[real], merged[real]
    scale = wanted.abs().max().item()
    print(json.dumps(dict(error=(found - wanted).abs().max().item() / scale, merged=(also - wanted).abs().max().item() / scale)))


if __name__ == '__main__':
    if sys.argv[1] == 'write':
        write()
    else:
        for first in range(2, len(sys.argv), 3):
            read(*sys.argv[first : first + 3])
