import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPairs, uniquePrompts } from '@rarefy/data';
import { hiddenStateEmbedder } from '@rarefy/embedders/causal-lm';
import { embedToFile, readEmbeddings, verifyEmbeddings } from '@rarefy/embeddings';
import { readSafetensors, toFloat32, toFloat64 } from '@rarefy/io';
import { activate, generate, type LoadedModel, loadLanguageModel, padRight } from '@rarefy/lm';
import { chatFormat } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { meanPool } from '../packages/embedders/src/causal-lm/pooling.js';
import { vocabularyIsometry } from '../packages/embedders/src/causal-lm/vocabulary-isometry.js';
import { casesOf } from './support/exhaustive.js';
import { goldenPath } from './support/golden.js';

const file = process.env.RAREFY_SMOLLM2 ?? '';
const reason = existsSync(file) ? '' : ' (skipped: RAREFY_SMOLLM2 is not the path of SmolLM2-135M-Instruct.Q4_1.gguf)';
const { texts, input_ids: expectedIds, greedy } = JSON.parse(readFileSync(goldenPath('smollm2.json'), 'utf8'));

// Real preference pairs are not part of the repository: their license allows research use only.
const pairs = process.env.RAREFY_REAL_PAIRS ?? '';
const noPairs = existsSync(pairs) ? '' : ' (skipped: RAREFY_REAL_PAIRS is not the path of a file of real pairs)';

describe.skipIf(reason !== '')(
  `SmolLM2 from its GGUF file, against transformers${reason}`,
  { timeout: 300_000 },
  () => {
    let loaded: LoadedModel;
    let expected: Awaited<ReturnType<typeof readSafetensors>>['tensors'];

    beforeAll(async () => {
      await activate('node').catch(() => activate('wasm'));
      loaded = await loadLanguageModel(file);
      ({ tensors: expected } = await readSafetensors(goldenPath('smollm2.safetensors')));
    });
    afterAll(() => loaded?.model.dispose());

    test('token ids of unusual texts', () => {
      for (const [at, text] of texts.entries())
        expect([...loaded.tokenizer.encode(text)], text).toEqual(expectedIds[at]);
    });

    test('prompts have the marks and the system prompt of the model’s own chat template', () => {
      const { tokenizer } = loaded;
      const [start, end] = ['<|im_start|>', '<|im_end|>'].map((name) => tokenizer.specialId(name)!);
      const message = (role: string, text: string) => [start, ...tokenizer.encode(`${role}\n${text}`)];
      const turn = (role: string, text: string) => [...message(role, text), end, ...tokenizer.encode('\n')];
      const system = turn('system', 'You are a helpful AI assistant named SmolLM, trained by Hugging Face');
      expect(system).toHaveLength(21);
      const format = chatFormat(tokenizer);
      expect(format.stopIds).toEqual([end]);
      for (const text of texts) {
        const expected = [...system, ...turn('user', text), ...message('assistant', '')];
        expect([...format.prompt(text).ids], text).toEqual(expected);
      }
    });

    test('mean hidden states within 1e-4, and distances of mean logits through the isometry within 1e-3', async () => {
      const { model } = loaded;
      const { hiddenSize, vocabularySize } = model.description;
      const pooled = tf.tidy(() => {
        const { ids, mask } = padRight(expectedIds.map((row: number[]) => Int32Array.from(row)));
        return meanPool(model.hiddenStates(ids, mask), mask);
      });
      const states = pooled.dataSync<'float32'>().slice();
      pooled.dispose();
      const weight = model.head.weight.dataSync<'float32'>();
      const isometry = await vocabularyIsometry({ weight, vocabulary: vocabularySize, hidden: hiddenSize });
      const short = unit(Float64Array.from(isometry.apply(states, texts.length)), hiddenSize);
      const distances = toFloat64(expected.get('mean_logits_l2_distances')!);
      let worst = 0;
      for (let a = 0; a < texts.length; a++) {
        for (let b = 0; b < texts.length; b++) {
          let squares = 0;
          for (let i = 0; i < hiddenSize; i++)
            squares += (short[a * hiddenSize + i]! - short[b * hiddenSize + i]!) ** 2;
          worst = Math.max(worst, Math.abs(Math.sqrt(squares) - distances[a * texts.length + b]!));
        }
      }
      expect(worst).toBeLessThan(1e-3);
      const hidden = unit(Float64Array.from(states), hiddenSize);
      const reference = toFloat32(expected.get('mean_hidden_l2')!);
      expect(hidden.reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0)).toBeLessThan(1e-4);
    });

    test('greedy tokens', async () => {
      const prompt = loaded.tokenizer.encode(greedy.prompt);
      const [completion] = await generate(loaded.model, [prompt], {
        maxNewTokens: greedy.ids.length - prompt.length,
        stopId: -1,
        temperature: 0,
        seed: 1,
      });
      expect([...prompt, ...completion!.ids]).toEqual(greedy.ids);
    });

    describe.skipIf(noPairs !== '')(`on real prompts${noPairs}`, () => {
      const embedded = casesOf(3, 8); // all 4,508 prompts take too long for every run

      test(`${embedded} of them: ids in order, a complete manifest, and each row belongs to its prompt`, async () => {
        const prompts = await uniquePrompts(readPairs(pairs));
        expect(prompts).toHaveLength(4508);
        const rows = prompts.slice(0, embedded).map(({ id, prompt }) => ({ id, item: prompt }));
        const folder = mkdtempSync(join(tmpdir(), 'rarefy-smollm2-'));
        try {
          const out = join(folder, 'e.safetensors');
          const embedder = await hiddenStateEmbedder(loaded);
          await embedToFile(embedder, rows, { out, countTokens: embedder.countTokens });
          expect(await verifyEmbeddings(out)).toMatchObject({
            ...{ rows: embedded, dimensions: 576, failed: [], embedder: embedder.fingerprint },
            counts: { distinct: embedded, truncated: 0, failed: 0 },
          });
          const { ids, embeddings } = await readEmbeddings(out);
          expect(ids).toEqual(rows.map(({ id }) => id));
          for (const row of [0, embedded - 1]) {
            const { data } = (await embedder.embedBatch([rows[row]!.item])).embeddings;
            const there = embeddings.data.subarray(row * 576, (row + 1) * 576);
            expect(Math.max(...data.map((value, index) => Math.abs(value - there[index]!)))).toBeLessThan(1e-5);
          }
        } finally {
          rmSync(folder, { recursive: true });
        }
      });
    });
  },
);

/** Divides each row by its norm + 1e-8, in place. */
function unit(rows: Float64Array, width: number): Float64Array {
  for (let start = 0; start < rows.length; start += width) {
    const length = Math.hypot(...rows.subarray(start, start + width)) + 1e-8;
    for (let i = start; i < start + width; i++) rows[i]! /= length;
  }
  return rows;
}
