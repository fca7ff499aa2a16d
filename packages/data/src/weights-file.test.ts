import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, ShapeError } from '@rarefy/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWeights, writeWeights } from './weights-file.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-weights-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('any weights read back to the same doubles, in the order of the ids that are asked for', async () => {
  const path = join(folder, 'w.jsonl');
  const number = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
  const rows = fc.uniqueArray(fc.tuple(fc.string(), number, number), { selector: ([id]) => id, minLength: 1 });
  await fc.assert(
    fc.asyncProperty(rows, async (written) => {
      const columns = (order: typeof written) => ({
        density: Float64Array.from(order, ([, density]) => density),
        weights: Float64Array.from(order, ([, , weight]) => weight),
      });
      const ids = written.map(([id]) => id);
      await writeWeights(path, ids, columns(written));
      const reversed = [...written].reverse();
      const read = await readWeights(
        path,
        reversed.map(([id]) => id),
      );
      expect(read).toEqual(columns(reversed));
    }),
    { numRuns: 50 },
  );
});

test('probabilities sum to 1, one line per prompt', async () => {
  const path = join(folder, 'p.jsonl');
  await writeWeights(path, ['a', 'b'], { density: Float64Array.of(2, 1), weights: Float64Array.of(1, 3) });
  expect(await readFile(path, 'utf8')).toBe(
    '{"id":"a","density":2,"weight":1,"probability":0.25}\n{"id":"b","density":1,"weight":3,"probability":0.75}\n',
  );
  const short = { density: Float64Array.of(2), weights: Float64Array.of(1, 3) };
  await expect(writeWeights(path, ['a', 'b'], short)).rejects.toThrow(ShapeError);
});

const line = (id: unknown, weight: unknown = 1, density: unknown = 1) => `${JSON.stringify({ id, density, weight })}\n`;

test.each([
  ['b only', line('b'), 'missing ids: 2, the first is "a"'],
  ['others', line('a') + line('x') + line('y') + line('b') + line('c'), 'extra ids: 2, the first is "x"'],
  ['repeats', line('a') + line('b') + line('c') + line('b') + line('b'), 'repeated ids: 2, the first is "b"'],
  ['a number as id', line(7), 'line 1: expected {id, density, weight}, and the id is 7.'],
  ['no weight', '{"id":"a","density":1}\n', 'line 1: weight must be a number ≥ 0, got missing.'],
  ['a negative weight', line('a') + line('b', -1), 'line 2: weight must be a number ≥ 0, got -1.'],
  ['a text as density', line('a', 1, 'x'), 'line 1: density must be a number, got "x".'],
  ['not JSON', 'a\n', /line 1 \(byte 0\): the line is not JSON: .*\. Weigh the same prompts with: rarefy density\.$/],
])('a file with %s is refused', async (_name, text, message) => {
  const path = join(folder, 'bad.jsonl');
  await writeFile(path, text);
  const reading = readWeights(path, ['a', 'b', 'c']);
  await expect(reading).rejects.toThrow(InputError);
  await expect(reading).rejects.toThrow(message);
});

test('all problems are reported at once', async () => {
  const path = join(folder, 'several.jsonl');
  await writeFile(path, line('b') + line('b') + line('z'));
  await expect(readWeights(path, ['a', 'b'])).rejects.toThrow(
    `${path} does not fit the 2 prompts: missing ids: 1, the first is "a"; extra ids: 1, the first is "z"; repeated ids: 1, the first is "b". Weigh the same prompts with: rarefy density`,
  );
});
