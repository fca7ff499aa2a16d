import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, counterRandom, InputError, RarefyError } from '@rarefy/core';
import { readEmbeddingManifest, readEmbeddings } from '@rarefy/embeddings';
import { readSafetensors, toFloat32, toInt32 } from '@rarefy/io';
import { activate, languageModel, loadLanguageModel, saveLanguageModel } from '@rarefy/lm';
import { chatFormat } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dequantize, storedBytes } from '../packages/lm/src/checkpoint/gguf/dequantize.js';
import { casesOf } from './support/exhaustive.js';
import { goldenModel, goldenPath, goldenTensors, relativeError } from './support/golden.js';
import { rarefy } from './support/rarefy.js';
import { type GgufTensor, type GgufValue, writeGguf } from './support/write-gguf.js';

const folder = mkdtempSync(join(tmpdir(), 'rarefy-gguf-'));
const path = join(folder, 'model.gguf');
beforeAll(() => activate('wasm'));
afterAll(() => rmSync(folder, { recursive: true }));

const names: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/**
 * A reference model as the converter of llama.cpp writes it: that of llama reorders query and key rows by its rotary positions.
 * @param folder of the reference model
 */
async function referenceFile(folder = 'llama') {
  const config = JSON.parse(readFileSync(goldenPath(`${folder}/config.json`), 'utf8'));
  const architecture: string = config.model_type;
  const { tensors } = await readSafetensors(goldenPath(`${folder}/model.safetensors`));
  const written: Record<string, GgufTensor> = {};
  for (const [name, tensor] of tensors) {
    const [, layer, part, kind] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
    const ggufName = layer === undefined ? names[name]! : `blk.${layer}.${names[part!]}.${kind}`;
    let data = toFloat32(tensor);
    const heads = /q_proj/.test(name) ? config.num_attention_heads : config.num_key_value_heads;
    if (architecture === 'llama' && /[qk]_proj/.test(name)) {
      data = interleaved(data, tensor.shape[0]!, tensor.shape[1]!, heads);
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    written[ggufName] = { shape: tensor.shape.toReversed(), type: 0, bytes };
  }
  const letters = Array.from({ length: 188 }, (_, at) => String.fromCharCode(33 + at)).filter((letter) =>
    /\S/.test(letter),
  );
  const tokens = ['<|end|>', 'ab', ...letters.slice(0, 150)];
  while (tokens.length < config.vocab_size) tokens.push(`filler${tokens.length}`);
  const metadata: Record<string, GgufValue> = {
    'general.architecture': architecture,
    [`${architecture}.block_count`]: config.num_hidden_layers,
    [`${architecture}.context_length`]: config.max_position_embeddings,
    [`${architecture}.embedding_length`]: config.hidden_size,
    [`${architecture}.feed_forward_length`]: config.intermediate_size,
    [`${architecture}.attention.head_count`]: config.num_attention_heads,
    [`${architecture}.attention.head_count_kv`]: config.num_key_value_heads,
    [`${architecture}.attention.layer_norm_rms_epsilon`]: { float: config.rms_norm_eps },
    [`${architecture}.rope.freq_base`]: { float: config.rope_parameters?.rope_theta ?? config.rope_theta },
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'smollm',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map((_, id) => ({ int: id === 0 ? 3 : 1 })),
    'tokenizer.ggml.merges': ['a b'],
  };
  return { metadata, tensors: written };
}

/** reshape(heads, 2, size / 2, cols) with the two middle axes swapped, as in convert_hf_to_gguf.py. */
function interleaved(data: Float32Array, rows: number, cols: number, heads: number): Float32Array {
  const out = new Float32Array(data.length);
  const half = rows / heads / 2;
  for (let head = 0; head < heads; head++) {
    for (let part = 0; part < 2; part++) {
      for (let i = 0; i < half; i++) {
        const from = (head * 2 * half + part * half + i) * cols;
        out.set(data.subarray(from, from + cols), (head * 2 * half + 2 * i + part) * cols);
      }
    }
  }
  return out;
}

test.each(Object.entries(JSON.parse(readFileSync(goldenPath('gguf-blocks.json'), 'utf8')).blocks))(
  'blocks of %s have the same values as in the gguf package',
  (_, block) => {
    const { type, bytes, values } = block as { type: number; bytes: string; values: number[] };
    const stored = Buffer.from(bytes, 'hex');
    expect(storedBytes(type, values.length, 'w')).toBe(stored.length);
    // A zero can have either sign.
    const own = dequantize(type, stored, values.length).map((value) => value + 0);
    expect(own).toEqual(Float32Array.from(values, (value) => value + 0));
  },
);

test('float16 and bfloat16 values are exact', () => {
  const bytes = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x8400).buffer);
  expect(Array.from(dequantize(1, bytes, 5))).toEqual([1, -2, 2 ** -24, 65504, -(2 ** -14)]);
  const brain = Buffer.from(Uint16Array.of(0x3f80, 0xc049, 0x0001).buffer);
  expect(Array.from(dequantize(30, brain, 3))).toEqual([1, -3.140625, 2 ** -133]);
});

test('a GGUF file of the reference model gives the same logits as the model folder, bit for bit', async () => {
  const { metadata, tensors } = await referenceFile();
  writeFileSync(path, writeGguf(metadata, tensors));
  const loaded = await loadLanguageModel(path);
  const model = await goldenModel('llama');
  expect(loaded.model.description).toEqual(model.description);
  const golden = await goldenTensors('llama');
  const [ids, mask] = [golden.ints('embed.input_ids'), golden.ints('embed.attention_mask')];
  const [own, other] = [loaded.model.forward(ids, mask), model.forward(ids, mask)];
  expect(own.logits.dataSync()).toEqual(other.logits.dataSync());
  expect(loaded.tokenizer.specialId('<|end|>')).toBe(0);
  expect(loaded.tokenizer.decode(loaded.tokenizer.encode('abc'))).toBe('abc');
  tf.dispose([ids, mask, ...Object.values(own), ...Object.values(other)]);
  loaded.model.dispose();
  model.dispose();
});

test('a GGUF file has a chat template and stop tokens, and files beside it come first', async () => {
  const { metadata, tensors } = await referenceFile();
  const beside = join(folder, 'chat');
  mkdirSync(beside);
  const file = join(beside, 'model.gguf');
  const template = '{% for m in messages %}{{ bos_token }}{{ m.content }}<|end|>{% endfor %}';
  const chat = {
    'tokenizer.chat_template': template,
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 0,
    'tokenizer.ggml.eot_token_id': 5,
  };
  writeFileSync(file, writeGguf({ ...metadata, ...chat }, tensors));
  const loaded = await loadLanguageModel(file);
  const { tokenizer } = loaded;
  expect(tokenizer.chat).toMatchObject({
    template,
    config: { bos_token: 'ab', eos_token: '<|end|>' },
    stopIds: [0, 5],
  });
  const format = chatFormat(tokenizer);
  expect(format.stopIds).toEqual([0, 5]);
  expect([...format.prompt('cab').ids]).toEqual([...tokenizer.encode('abcab'), 0]);

  const saved = join(folder, 'saved');
  await saveLanguageModel(saved, loaded);
  const again = await loadLanguageModel(saved);
  expect(chatFormat(again.tokenizer)).toMatchObject({ name: format.name, stopIds: [0, 5] });
  writeFileSync(join(beside, 'tokenizer.json'), JSON.stringify(tokenizer.json));
  writeFileSync(join(beside, 'chat_template.jinja'), '{% for m in messages %}{{ m.content }}<|end|>{% endfor %}');
  const replaced = await loadLanguageModel(file);
  expect([...chatFormat(replaced.tokenizer).prompt('cab').ids]).toEqual([...tokenizer.encode('cab'), 0]);
  for (const { model } of [loaded, again, replaced]) model.dispose();
});

test.each(['qwen2', 'qwen3'])('a GGUF file of %s gives the logits of transformers', async (family) => {
  const { metadata, tensors } = await referenceFile(`families/${family}`);
  writeFileSync(path, writeGguf({ ...metadata, 'tokenizer.ggml.pre': 'qwen2' }, tensors));
  const { model, tokenizer, config } = await loadLanguageModel(path);
  expect(config.model_type).toBe(family);
  const { tensors: expected } = await readSafetensors(goldenPath(`families/${family}/expected.safetensors`));
  const [rows, length] = expected.get('ids')!.shape as [number, number];
  const integers = (name: string) => tf.tensor2d(toInt32(expected.get(name)!), [rows, length], 'int32');
  const { logits, ...rest } = model.forward(integers('ids'), integers('mask'));
  // The first row has no padding.
  const first = (values: Float32Array) => values.subarray(0, values.length / rows);
  expect(toInt32(expected.get('mask')!).subarray(0, length)).not.toContain(0);
  expect(relativeError(first(logits.dataSync<'float32'>()), first(toFloat32(expected.get('logits')!)))).toBeLessThan(
    1e-5,
  );
  expect([...tokenizer.encode('a\u0301b')]).toEqual([...tokenizer.encode('\u00e1b')]);
  tf.dispose([logits, rest]);
  model.dispose();
});

test.each(['linear', 'yarn', 'llama3'])('rotary positions scaled by %s are those of the model folder', async (type) => {
  const { metadata, tensors } = await referenceFile();
  const config = JSON.parse(readFileSync(goldenPath('llama/config.json'), 'utf8'));
  const scaling = { rope_type: type, factor: 4, original_max_position_embeddings: type === 'llama3' ? 8192 : 16 };
  const { original_max_position_embeddings: original, ...linear } = scaling;
  const parameters = {
    ...(type === 'linear' ? linear : scaling),
    ...(type === 'llama3' ? { low_freq_factor: 1, high_freq_factor: 4 } : {}),
    rope_theta: 500_000,
  };
  const base = { 'llama.rope.freq_base': { float: 500_000 } };
  const keys = {
    'llama.rope.scaling.type': type,
    'llama.rope.scaling.factor': { float: 4 },
    ...(type === 'yarn' ? { 'llama.rope.scaling.original_context_length': original } : {}),
  };
  // As in convert_hf_to_gguf.py: the factor by which each frequency is divided.
  const size = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  const divisors = Float32Array.from({ length: size / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * 500_000 ** ((2 * i) / size);
    if (wavelength < original / 4) return 1;
    if (wavelength > original) return 4;
    const smooth = (original / wavelength - 1) / 3;
    return 1 / ((1 - smooth) / 4 + smooth);
  });
  expect(new Set(divisors).size).toBeGreaterThan(type === 'llama3' ? 1 : 0);
  const divided = { 'rope_freqs.weight': { shape: [size / 2], type: 0, bytes: new Uint8Array(divisors.buffer) } };
  const isLlama3 = type === 'llama3';
  writeFileSync(
    path,
    writeGguf({ ...metadata, ...base, ...(isLlama3 ? {} : keys) }, { ...tensors, ...(isLlama3 ? divided : {}) }),
  );
  const loaded = await loadLanguageModel(path);
  const { tensors: stored } = await readSafetensors(goldenPath('llama/model.safetensors'));
  const weights = new Map(
    [...stored].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
  );
  const model = languageModel({ ...config, rope_parameters: parameters }, weights);
  const plain = languageModel({ ...config, rope_parameters: { rope_theta: 500_000 } }, weights);
  const golden = await goldenTensors('llama');
  const [ids, mask] = [golden.ints('embed.input_ids'), golden.ints('embed.attention_mask')];
  const [own, other, unscaled] = [loaded.model, model, plain].map((each) => each.hiddenStates(ids, mask));
  expect(own!.dataSync()).toEqual(other!.dataSync());
  expect(own!.dataSync()).not.toEqual(unscaled!.dataSync());
  tf.dispose([ids, mask, own!, other!, unscaled!]);
  for (const each of [loaded.model, model, plain]) each.dispose();
});

test('rarefy embed takes a GGUF file as --ckpt', async () => {
  const { metadata, tensors } = await referenceFile();
  const tokens = ['<|endoftext|>', ...(metadata['tokenizer.ggml.tokens'] as string[]).slice(1)];
  writeFileSync(path, writeGguf({ ...metadata, 'tokenizer.ggml.tokens': tokens }, tensors));
  writeFileSync(join(folder, 'prompts.jsonl'), '{"id":"a","prompt":"ab"}\n{"id":7,"prompt":"cab"}\n');
  const args = ['embed', '--data', 'prompts.jsonl', '--ckpt', 'model.gguf', '--backend', 'wasm', '--out', 'e.pt'];
  const { code, stdout, stderr } = await rarefy(args, { cwd: folder });
  expect(code, stderr).toBe(0);
  const size = metadata['llama.embedding_length'];
  expect(stdout).toBe(`2 x ${size} embeddings in e.pt\n`);
  expect(stderr).toContain('embedder: causal-lm: model.gguf');
  const { ids, embeddings } = await readEmbeddings(join(folder, 'e.pt'));
  expect([ids, embeddings.cols]).toEqual([['a', '7'], size]);
  expect((await readEmbeddingManifest(join(folder, 'e.pt'))).model).toEqual({
    ...{ embedder: 'causal-lm', path: 'model.gguf', pooling: 'mean', backend: 'wasm' },
  });
});

test('errors for unsupported files say what is supported', async () => {
  const { metadata, tensors } = await referenceFile();
  const load = (change: Record<string, GgufValue>, changed: Record<string, GgufTensor> = tensors) => {
    writeFileSync(path, writeGguf({ ...metadata, ...change }, changed));
    return loadLanguageModel(path);
  };
  await expect(load({ 'general.architecture': 'mamba' })).rejects.toThrow(
    'architecture "mamba"; only llama, qwen2, qwen3 are supported',
  );
  await expect(load({ 'llama.rope.scaling.type': 'longrope' })).rejects.toThrow("scaled by 'longrope'");
  await expect(load({ 'llama.attention.sliding_window': 512 })).rejects.toThrow(
    "'llama.attention.sliding_window' is 512, which is not honored",
  );
  await expect(load({ 'split.count': 3 })).rejects.toThrow('is one of 3 parts');
  await expect(load({ 'llama.rope.dimension_count': 4 })).rejects.toThrow('llama.rope.dimension_count is 4, and only');
  const sink = { ...tensors, 'blk.0.attn_sinks.weight': tensors['output_norm.weight']! };
  await expect(load({}, sink)).rejects.toThrow('does not use: blk.0.attn_sinks.weight');
  for (const heads of [5, 1000, 0.5]) {
    await expect(load({ 'llama.attention.head_count': { float: heads } })).rejects.toBeInstanceOf(RarefyError);
  }
  await expect(load({ 'llama.block_count': 2 ** 31 })).rejects.toThrow(
    'asks for 2147483648 layers, and the file has only',
  );
  await expect(load({ 'llama.block_count': 0 })).rejects.toThrow('llama.block_count must be a number > 0, got 0');
  await expect(load({ 'tokenizer.ggml.model': 'llama' })).rejects.toThrow(
    "put the model's tokenizer.json in the same folder",
  );
  await expect(load({ 'tokenizer.ggml.pre': 'tekken' })).rejects.toThrow(
    "the pre-tokenizer 'tekken'; only gpt-2, smollm",
  );
  await expect(load({ 'tokenizer.ggml.token_type': [{ int: 1 }] })).rejects.toBeInstanceOf(CorruptFileError);
  const scaled = { ...tensors, 'rope_freqs.weight': { shape: [4], type: 0, bytes: new Uint8Array(16).fill(64) } };
  await expect(load({}, scaled)).rejects.toThrow('that are not those of Llama 3');
  const quantized = { ...tensors, 'output_norm.weight': { ...tensors['output_norm.weight']!, type: 16 } };
  await expect(load({}, quantized)).rejects.toThrow(
    /'output_norm.weight' has an unsupported quantization \(ggml type 16\); use F32, F16/,
  );
  await expect(loadLanguageModel(join(folder, 'absent.gguf'))).rejects.toBeInstanceOf(InputError);
});

test('a damaged file is refused or read, and never crashes or allocates more than its size allows', async () => {
  const { metadata, tensors } = await referenceFile();
  const whole = writeGguf(metadata, tensors);
  const random = counterRandom(9);
  const cases = casesOf(40, 300);
  for (let at = 0; at < cases; at++) {
    const damaged = Buffer.from(
      whole.subarray(
        0,
        random.uniform(4 * at) < 0.3 ? Math.floor(random.uniform(4 * at + 1) * whole.length) : undefined,
      ),
    );
    const offset = Math.floor(random.uniform(4 * at + 2) * Math.min(damaged.length, 6_000));
    if (damaged.length > 0) damaged[offset] = Math.floor(random.uniform(4 * at + 3) * 256);
    writeFileSync(path, damaged);
    const outcome = await loadLanguageModel(path).catch((error: unknown) => error);
    if (RarefyError.isInstance(outcome)) continue;
    expect(outcome, `case ${at}`).toHaveProperty('model');
    (outcome as { model: { dispose(): void } }).model.dispose();
  }
});
