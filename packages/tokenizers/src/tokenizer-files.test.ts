import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InputError } from '@rarefy/core';
import { afterAll, expect, test } from 'vitest';
import { tokenizerFromJson } from './tokenizer.js';
import { loadTokenizer, saveTokenizer } from './tokenizer-files.js';
import { trainBytePairTokenizer } from './train-bpe.js';

interface Llama {
  readonly json: { readonly model: Record<string, unknown>; readonly added_tokens: Record<string, unknown>[] };
  readonly cases: readonly { readonly text: string; readonly ids: readonly number[]; readonly decoded: string }[];
}

/**
 * A Llama-style tokenizer (byte fallback, `▁` for spaces, BOS before every text), trained and run with Python's
 * `tokenizers` 0.23.3, with `encode_special_tokens = True` and `encode(text, add_special_tokens=False)`.
 */
const { json, cases } = (
  JSON.parse(readFileSync(new URL('../../../tests/golden/tokenizer.json', import.meta.url), 'utf8')) as {
    readonly llama: Llama;
  }
).llama;

const folder = mkdtempSync(join(tmpdir(), 'rarefy-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a file written by another library gives the same ids and texts as in Python, without BOS', () => {
  const llama = tokenizerFromJson(json);
  for (const { text, ids, decoded } of cases) {
    expect([...llama.encode(text)], JSON.stringify(text)).toEqual(ids);
    expect(llama.decode(ids), JSON.stringify(text)).toBe(decoded);
  }
  expect(llama.specialId('</s>')).toBe(2);
  expect(llama.specialId('[tool]')).toBeUndefined();
});

test('added tokens that are not special are text, and the config can name special tokens', () => {
  const tool = json.added_tokens.find(({ content }) => content === '[tool]')!.id as number;
  const config = { eos_token: { content: '[tool]' }, add_bos_token: true, additional_special_tokens: ['[none]'] };
  expect(tokenizerFromJson(json).encode('x [tool]')).toContain(tool);
  expect(tokenizerFromJson(json).vocabularySize).toBe(tool + 1);
  expect(tokenizerFromJson(json, config).encode('x [tool]')).not.toContain(tool);
  expect(tokenizerFromJson(json, config).specialId('[tool]')).toBe(tool);
  expect(tokenizerFromJson(json, config).specialId('[none]')).toBeUndefined();
});

test('text never becomes a special token of the vocabulary, even if whole words skip the merges', () => {
  const model = { type: 'BPE', ignore_merges: true, vocab: { a: 0, '<end>': 1 }, merges: [] };
  const tokenizer = tokenizerFromJson({ model, added_tokens: [{ id: 1, content: '<end>', special: true }] });
  expect(tokenizer.encode('<end>')).not.toContain(1);
});

test('a saved tokenizer loads from the folder and from the file', async () => {
  const trained = trainBytePairTokenizer(['one two, one three'], { vocabularySize: 270 });
  const saved = join(folder, 'new', 'folder');
  await saveTokenizer(saved, trained);
  expect(readdirSync(saved).sort()).toEqual(['tokenizer.json', 'tokenizer_config.json']);
  for (const path of [saved, join(saved, 'tokenizer.json')]) {
    const loaded = await loadTokenizer(path);
    expect(loaded.json).toEqual(trained.json);
    expect(loaded.encode('one two')).toEqual(trained.encode('one two'));
    expect(loaded.specialId('<|bos|>')).toBe(trained.specialId('<|bos|>'));
  }
  await expect(saveTokenizer(saved, trained, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
});

test('a folder has a chat template, names of tokens and stop tokens, and a saved tokenizer keeps them', async () => {
  const chatFolder = join(folder, 'chat');
  const saved = join(folder, 'chat', 'saved');
  await saveTokenizer(chatFolder, trainBytePairTokenizer(['one two'], { vocabularySize: 270 }));
  const write = (name: string, content: object) => writeFileSync(join(chatFolder, name), JSON.stringify(content));
  write('tokenizer_config.json', {
    chat_template: 'in the config',
    eos_token: '<|bos|>',
    tokenizer_class: 'Qwen2Tokenizer',
  });
  write('generation_config.json', { eos_token_id: [5, 6], temperature: 0.6 });
  write('config.json', { eos_token_id: 7 });
  expect((await loadTokenizer(chatFolder)).chat).toMatchObject({ template: 'in the config', stopIds: [5, 6, 7] });

  writeFileSync(join(chatFolder, 'chat_template.jinja'), 'in a file\n');
  const loaded = await loadTokenizer(chatFolder);
  expect(loaded.chat).toMatchObject({ template: 'in a file\n', config: { eos_token: '<|bos|>' } });
  await saveTokenizer(saved, loaded);
  expect(JSON.parse(readFileSync(join(saved, 'tokenizer_config.json'), 'utf8'))).toEqual({
    ...{ eos_token: '<|bos|>', tokenizer_class: 'Qwen2Tokenizer', clean_up_tokenization_spaces: false },
  });
  expect(readFileSync(join(saved, 'chat_template.jinja'), 'utf8')).toBe('in a file\n');
  expect(JSON.parse(readFileSync(join(saved, 'generation_config.json'), 'utf8'))).toEqual({
    ...{ eos_token_id: [5, 6], temperature: 0.6 },
  });
  expect((await loadTokenizer(saved)).chat).toMatchObject({ template: 'in a file\n', stopIds: [5, 6] });

  await saveTokenizer(saved, { ...loaded, chat: {} });
  expect(readdirSync(saved).sort()).toEqual(['tokenizer.json', 'tokenizer_config.json']);
  const named = [
    { name: 'tool_use', template: 'tools' },
    { name: 'default', template: 'chat' },
  ];
  expect(tokenizerFromJson(loaded.json, { chat_template: named }).chat?.template).toBe('chat');
  expect(tokenizerFromJson(loaded.json, { chat_template: named.slice(0, 1) }).chat?.template).toBeUndefined();
});

test('the error for a missing file says what to give', async () => {
  await expect(loadTokenizer(join(folder, 'nowhere'))).rejects.toThrow(InputError);
  await expect(loadTokenizer(join(folder, 'nowhere'))).rejects.toThrow('there is no tokenizer at');
  await expect(loadTokenizer(folder)).rejects.toThrow('has no tokenizer.json');
});

test('a truncated file is corrupt', async () => {
  const file = join(folder, 'tokenizer.json');
  for (const text of [JSON.stringify(json).slice(0, 3000), '', '{"model": \u0000}']) {
    writeFileSync(file, text);
    await expect(loadTokenizer(folder)).rejects.toThrow(CorruptFileError);
    await expect(loadTokenizer(folder)).rejects.toThrow('is not valid JSON');
  }
});

test.each([
  ['not an object', null],
  ['a config.json', { model_type: 'llama', hidden_size: 64 }],
  ['another kind', { ...json, model: { ...json.model, type: 'Unigram' } }],
  ['ids that are no numbers', { ...json, model: { ...json.model, vocab: { a: '0' } } }],
  ['no merges', { ...json, model: { ...json.model, merges: null } }],
  ['broken added tokens', { ...json, added_tokens: [null] }],
  ['an unknown decoder', { ...json, decoder: { type: 'Nonsense' } }],
])('%s is refused', (_, content) => {
  expect(() => tokenizerFromJson(content, {}, 'this file')).toThrow(InputError);
  expect(() => tokenizerFromJson(content, {}, 'this file')).toThrow('this file');
});
