"""Writes tests/golden/chat-templates.json: token ids that transformers' apply_chat_template gives for short chat templates.

usage: python3 chat_templates.py > ../golden/chat-templates.json        (needs transformers, tokenizers and jinja2; no torch)

The templates have the marks, default system prompts and conditions of those of well-known models, in a short form. The tokenizers are
trained here on a few sentences, and differ in what can change ids at the border of a mark: byte-level or not, a mark of the first
word, special tokens that strip white space.
"""

import json
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEXTS = [
    "What is the capital of France? The capital of France is Paris.",
    "user assistant system model You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    "Tell me more about the answer. Yes, the answer to the question is here: one, two, three.",
    "<|user|>\n<|assistant|>\n<|system|>\n think about it [INST] [/INST]",
]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level(special, added=()):
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in added])
    return tokenizer


def byte_fallback(special, normalizer=None, pre_tokenizer=None):
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    replace = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizer, replace]) if normalizer else replace
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(?=▁)"), "merged_with_next")
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>", *BYTES], show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] == "<unk>"]
    content["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(content))
    if pre_tokenizer:
        tokenizer.normalizer = None
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(special)
    return tokenizer


CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
PHI = [AddedToken(name, rstrip=True, normalized=False, special=True) for name in ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")]
TOKENIZERS = {
    "smollm2": byte_level(CHATML),
    "qwen3": byte_level(CHATML, ["<think>", "</think>"]),
    "llama-3": byte_level(LLAMA),
    "gemma": byte_fallback(["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"]),
    "phi-3": byte_fallback(["<s>", "<|endoftext|>", *PHI], normalizers.Prepend("▁")),
    "mistral": byte_fallback(["<s>", "</s>", "[INST]", "[/INST]"], None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
    "zephyr": byte_fallback(["<s>", "</s>"], normalizers.Prepend("▁")),
}

TEMPLATES = {
    "smollm2": (
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
        "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "qwen3": (
        "{%- set ns = namespace(last=messages|length - 1) -%}\n"
        "{%- for message in messages[::-1] -%}\n"
        "    {%- if message.role == 'user' and loop.first %}{% set ns.last = messages|length - 1 - loop.index0 %}{% endif -%}\n"
        "{%- endfor -%}\n"
        "{%- for message in messages %}\n"
        "    {%- set content = message.content %}\n"
        "    {%- if message.role == 'assistant' and '</think>' in content and loop.index0 < ns.last %}\n"
        "        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"
        "    {%- endif %}\n"
        "    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}\n"
        "{%- endfor %}\n"
        "{%- if add_generation_prompt %}\n"
        "    {{- '<|im_start|>assistant\\n' }}\n"
        "    {%- if enable_thinking is defined and enable_thinking is false %}\n"
        "        {{- '<think>\\n\\n</think>\\n\\n' }}\n"
        "    {%- endif %}\n"
        "{%- endif %}"
    ),
    "llama-3": (
        "{{ bos_token }}{% for message in messages %}"
        "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
    ),
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "{% if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
        "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
    ),
    "phi-3": (
        "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
    ),
    "mistral": (
        "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + '[/INST]' }}"
        "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
        "{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}"
    ),
    "zephyr": (
        "{% for message in messages %}\n"
        "{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token }}\n"
        "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n"
        "{% endfor %}"
    ),
}
NAMES = {
    "smollm2": {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"},
    "qwen3": {"eos_token": "<|im_end|>"},
    "llama-3": {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
    "gemma": {"bos_token": "<bos>", "eos_token": "<eos>"},
    "phi-3": {"bos_token": "<s>", "eos_token": "<|endoftext|>"},
    "mistral": {"bos_token": "<s>", "eos_token": "</s>"},
    "zephyr": {"bos_token": "<s>", "eos_token": "</s>"},
}
ENDS = {
    "smollm2": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "llama-3": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "phi-3": "<|end|>",
    "mistral": "</s>",
    "zephyr": "</s>",
}


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


PROMPTS = [
    [user("What is the capital of France?")],
    [user("Ümläute, 中文 and 🎉 in one line\nand a second one")],
    [user("What is it?"), assistant("Yes, the answer is here."), user("Tell me more.")],
    [user("a"), assistant("b\n\nc"), user("d"), assistant("e"), user("f g")],
]
SPACED = [[user("  spaces around \n")], [user("\n\nlines before")]]
SYSTEM = [[{"role": "system", "content": "Answer in one word."}, user("What is the capital of France?")]]
THOUGHTS = [[user("one"), assistant("<think>\nabout it\n</think>\n\ntwo"), user("three")]]
ANSWER = "Yes, the answer is here."


def main():
    cases = []
    for name, tokenizer in TOKENIZERS.items():
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(tokenizer.to_str())
            file.flush()
            fast = PreTrainedTokenizerFast(tokenizer_file=file.name, chat_template=TEMPLATES[name], **NAMES[name])

        def ids(messages, is_prompt, variables):
            return fast.apply_chat_template(messages, add_generation_prompt=is_prompt, return_dict=False, **variables)

        prompts = PROMPTS + SPACED + (THOUGHTS if name == "qwen3" else [])
        prompts += SYSTEM if name not in ("gemma", "mistral") else []
        switches = [{}, {"enable_thinking": False}] if name == "qwen3" else [{}]
        end = fast.convert_tokens_to_ids(ENDS[name])
        for variables in switches:
            for messages in prompts:
                prompt = ids(messages, True, variables)
                case = {"template": name, "variables": variables, "messages": messages, "prompt": prompt}
                if not variables:
                    whole = ids([*messages, assistant(ANSWER)], False, variables)
                    case["conversation"] = whole[: len(whole) - whole[::-1].index(end)]
                cases.append(case)
    templates = {
        name: {
            "template": TEMPLATES[name],
            "names": NAMES[name],
            "end": TOKENIZERS[name].token_to_id(ENDS[name]),
            "tokenizer": json.loads(TOKENIZERS[name].to_str()),
        }
        for name in TOKENIZERS
    }
    print(json.dumps({"answer": ANSWER, "templates": templates, "cases": cases}, ensure_ascii=False, separators=(",", ":")))


main()
