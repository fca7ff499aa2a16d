import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError, StateMismatchError } from '@rarefy/core';
import { afterAll, expect, test } from 'vitest';
import { parseOptions } from '../shell/parse-options.js';
import { rewardModelOptions, trainRm } from './reward-model.js';
import { sftOptions, trainSft } from './sft.js';

const folder = mkdtempSync(join(tmpdir(), 'rarefy-template-'));
afterAll(() => rmSync(folder, { recursive: true }));
const template =
  '{% for m in messages %}<|bos|>{{ m.role }}: {{ m.content }}<|assistant_end|>{% endfor %}' +
  '{% if add_generation_prompt %}<|bos|>assistant: {% endif %}';

test('train uses --chat-template and --transcripts, saves the template, and resumes only with both', {
  timeout: 120_000,
}, async () => {
  const pair = { prompt: 'Human: a\n\nAssistant: b\n\nHuman: c', chosen: 'd', rejected: 'e' };
  writeFileSync(join(folder, 'pairs.jsonl'), `${JSON.stringify(pair)}\n`);
  writeFileSync(join(folder, 'own.jinja'), template);
  writeFileSync(join(folder, 'other.jinja'), `${template} `);
  const line = [
    ...['--pairs', join(folder, 'pairs.jsonl'), '--backend', 'cpu', '--save-steps', '1', '--batch-size', '1'],
    ...['--model', fileURLToPath(new URL('../../../../examples/models/tiny', import.meta.url))],
    ...['--chat-template', join(folder, 'own.jinja'), '--transcripts'],
  ];
  const sft = { ...parseOptions(sftOptions, line).values, out: join(folder, 'sft') };
  await trainSft({ ...sft, maxSteps: 1, resume: false }, {});
  expect(readFileSync(join(sft.out, 'chat_template.jinja'), 'utf8')).toBe(template);
  const tokens = (out: string) => JSON.parse(readFileSync(join(out, 'metrics.jsonl'), 'utf8')).num_tokens as number;
  const asText = { ...sft, out: join(folder, 'text'), transcripts: false };
  await trainSft({ ...asText, maxSteps: 1, resume: false }, {});
  expect(tokens(sft.out)).not.toBe(tokens(asText.out));

  const rm = { ...parseOptions(rewardModelOptions, line).values, out: join(folder, 'rm') };
  await trainRm({ ...rm, maxSteps: 1, resume: false }, {}, new Set());
  const again = { ...rm, maxSteps: 2, resume: true };
  const other = { ...again, chatTemplate: join(folder, 'other.jinja') };
  await expect(trainRm(other, {}, new Set())).rejects.toThrow(StateMismatchError);
  await expect(trainRm({ ...again, transcripts: false }, {}, new Set())).rejects.toThrow(StateMismatchError);
  await trainRm(again, {}, new Set());
  const missing = { ...sft, out: join(folder, 'missing'), chatTemplate: join(folder, 'none.jinja') };
  await expect(trainSft({ ...missing, maxSteps: 1, resume: false }, {})).rejects.toThrow(InputError);
});
