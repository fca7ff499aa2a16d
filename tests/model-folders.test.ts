import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors, readSafetensors, toFloat32, writeSafetensors } from '@rarefy/io';
import { activate, type LoadedModel, loadLanguageModel, saveLanguageModel } from '@rarefy/lm';
import { saveTokenizer, trainBytePairTokenizer } from '@rarefy/tokenizers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenPath } from './support/golden.js';

const root = mkdtempSync(join(tmpdir(), 'rarefy-folders-'));
const tokenizer = trainBytePairTokenizer(['one two three'], { vocabularySize: 262 });
beforeAll(() => activate('wasm'));
afterAll(() => rmSync(root, { recursive: true }));

/** A folder with the config of a reference model and a tokenizer, without weights. */
async function folderOf(family: string, name: string): Promise<string> {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  cpSync(goldenPath(`families/${family}/config.json`), join(folder, 'config.json'));
  await saveTokenizer(folder, tokenizer);
  return folder;
}

async function referenceWeights(
  family: string,
): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  const { tensors } = await readSafetensors(goldenPath(`families/${family}/model.safetensors`));
  return new Map([...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]));
}

const valuesOf = ({ model }: LoadedModel) =>
  new Map(Object.entries(model.parameters).map(([name, variable]) => [name, [...variable.dataSync()]]));

describe('weights of a folder', () => {
  test('in several files with an index', async () => {
    const folder = await folderOf('qwen3', 'shards');
    const weights = [...(await referenceWeights('qwen3'))];
    const parts = [weights.slice(0, 7), weights.slice(7, 20), weights.slice(20)];
    const map: Record<string, string> = {};
    for (const [index, part] of parts.entries()) {
      const file = `model-0000${index + 1}-of-00003.safetensors`;
      for (const [name] of part) map[name] = file;
      const tensors = Object.fromEntries(part.map(([name, values]) => [name, { dtype: 'F32' as const, ...values }]));
      await writeSafetensors(join(folder, file), tensors);
    }
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
    const loaded = await loadLanguageModel(folder);
    expect(valuesOf(loaded)).toEqual(new Map(weights.map(([name, { data }]) => [name, [...data]])));
    loaded.model.dispose();

    rmSync(join(folder, 'model-00002-of-00003.safetensors'));
    await expect(loadLanguageModel(folder)).rejects.toThrow('model-00002-of-00003.safetensors');
    writeFileSync(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { x: '../x.safetensors' } }),
    );
    await expect(loadLanguageModel(folder)).rejects.toThrow('no usable weight files ("../x.safetensors")');
  });

  test.each([
    ['F16', 2 ** -10],
    ['BF16', 2 ** -7],
  ] as const)('in %s', async (dtype, precision) => {
    const folder = await folderOf('olmo2', dtype);
    const weights = [...(await referenceWeights('olmo2'))];
    const tensors = Object.fromEntries(
      weights.map(([name, { shape, data }]) => [name, { dtype: 'F16' as const, shape, data }]),
    );
    const path = join(folder, 'model.safetensors');
    if (dtype === 'F16') await writeSafetensors(path, tensors);
    else writeFileSync(path, brainFloats(encodeSafetensors(tensors), tensors));
    const loaded = await loadLanguageModel(folder);
    for (const [name, { data }] of weights) {
      const values = loaded.model.parameters[name]!.dataSync();
      expect(values.length).toBe(data.length);
      const worst = data.reduce(
        (most, value, index) => Math.max(most, Math.abs(values[index]! - value) / Math.max(Math.abs(value), 2 ** -14)),
        0,
      );
      expect(worst, name).toBeLessThan(precision);
      expect(worst, name).toBeGreaterThan(data.every((value) => value === 1) ? -1 : 0);
    }
    loaded.model.dispose();
  });
});

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);
/** A file of F16 tensors turned into one of BF16 tensors, which hold the upper half of each float32. */
function brainFloats(file: Uint8Array, tensors: Readonly<Record<string, { readonly data: Float32Array }>>): Uint8Array {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(Buffer.from(file.subarray(8, 8 + length)).toString()) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const data = Buffer.from(file.subarray(8 + length));
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    entry.dtype = 'BF16';
    for (const [index, value] of tensors[name]!.data.entries()) {
      float[0] = value;
      data.writeUInt16LE(word[0]! >>> 16, entry.data_offsets[0] + 2 * index);
    }
  }
  const text = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([start, text, data]);
}

test('a folder with weights of another file type says so', async () => {
  const folder = await folderOf('qwen2', 'pickle');
  await expect(loadLanguageModel(folder)).rejects.toThrow('model.safetensors');
  writeFileSync(join(folder, 'pytorch_model.bin'), '');
  await expect(loadLanguageModel(folder)).rejects.toThrow('pytorch_model.bin, which is not read');
});

describe('a saved model', () => {
  const families = readdirSync(goldenPath('families'), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );

  test.each(families)('%s has the weights and the fields of the file it came from', async (family) => {
    const folder = await folderOf(family, `${family}-source`);
    cpSync(goldenPath(`families/${family}/model.safetensors`), join(folder, 'model.safetensors'));
    const loaded = await loadLanguageModel(folder);
    const saved = join(root, `${family}-saved`);
    await saveLanguageModel(saved, loaded);
    const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
    expect(read(join(saved, 'config.json'))).toEqual(read(join(folder, 'config.json')));
    const weightsIn = async (path: string) => {
      const { tensors } = await readSafetensors(join(path, 'model.safetensors'));
      return new Map(
        [...tensors].map(([name, { dtype, shape, bytes }]) => [name, { dtype, shape, bytes: [...bytes] }]),
      );
    };
    expect(await weightsIn(saved)).toEqual(await weightsIn(folder));
    loaded.model.dispose();
  });

  test('writes fields as transformers checks them: floating-point, and float32', async () => {
    const folder = await folderOf('nanochat-attention-bias', 'fields');
    cpSync(goldenPath('families/nanochat-attention-bias/model.safetensors'), join(folder, 'model.safetensors'));
    const { config, ...loaded } = await loadLanguageModel(folder);
    const rope = { rope_theta: 10_000, rope_type: 'default' };
    const changed = {
      ...config,
      dtype: 'bfloat16',
      final_logit_softcapping: 15,
      rope_parameters: rope,
      hidden_size: 48,
    };
    await saveLanguageModel(join(root, 'fields-saved'), { ...loaded, config: changed });
    const text = readFileSync(join(root, 'fields-saved', 'config.json'), 'utf8');
    expect(text).toContain('"dtype": "float32"');
    expect(text).toContain('"final_logit_softcapping": 15.0');
    expect(text).toContain('"rope_theta": 10000.0');
    expect(text).toContain('"hidden_size": 48,');
    expect(JSON.parse(text)).toEqual({ ...changed, dtype: 'float32' });
    loaded.model.dispose();
  });
});
