import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Pair, readPairs, uniquePrompts } from '@rarefy/data';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const committed = join(root, 'examples/data/pairs.jsonl');

let folder: string;
const pairs: Pair[] = [];
/** Topics by decreasing number of pairs: their ranks are 1, 2, … */
let topics: [string, Pair[]][] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-sample-'));
  for await (const pair of readPairs(committed)) pairs.push(pair);
  const byTopic = new Map<string, Pair[]>();
  for (const pair of pairs) byTopic.set(pair.topic!, [...(byTopic.get(pair.topic!) ?? []), pair]);
  topics = [...byTopic].sort(([, a], [, b]) => b.length - a.length);
});
afterAll(() => rm(folder, { recursive: true }));

async function make(...options: string[]): Promise<Buffer> {
  const out = join(folder, 'deep', 'pairs.jsonl');
  await promisify(execFile)(process.execPath, [join(root, 'scripts/make-pairs.mjs'), '--out', out, ...options]);
  return readFile(out);
}

const words = (text: string) => text.match(/[\p{L}\p{N}'-]+/gu) ?? [];
const sentences = (text: string) => text.match(/[.?!](?= |$)/g) ?? [];
const share = (items: readonly Pair[], holds: (pair: Pair) => boolean) => items.filter(holds).length / items.length;
/** Pairs of the topics with these ranks; the first rank is 1. */
const ranks = (first: number, last: number) => topics.slice(first - 1, last).flatMap(([, rows]) => rows);

test('the script writes the committed bytes, and other bytes for other seeds and counts', async () => {
  const bytes = await readFile(committed);
  expect((await make()).equals(bytes)).toBe(true);
  expect((await make('--seed', '2')).equals(bytes)).toBe(false);
  expect((await make('--count', '100')).toString().trim().split('\n')).toHaveLength(100);
  expect(bytes.length).toBeLessThan(1_600_000);
  await expect(make('--count', 'many')).rejects.toThrow('--count must be an integer ≥ 1, got many');
});

test('has 2,400 pairs of 8 sources and 56 topics whose frequencies follow Zipf’s law with exponent 1.1', () => {
  expect(pairs).toHaveLength(2400);
  expect(new Set(pairs.map(({ id }) => id)).size).toBe(2400);
  expect(new Set(pairs.map(({ src }) => src)).size).toBe(8);
  expect(topics).toHaveLength(56);
  for (const [, rows] of topics) expect(new Set(rows.map(({ src }) => src)).size).toBe(1);
  const expected = topics.map((_, index) => (index + 1) ** -1.1);
  const total = expected.reduce((sum, value) => sum + value, 0);
  topics.forEach(([, rows], index) => {
    expect(Math.abs(rows.length - (2400 * expected[index]!) / total)).toBeLessThan(1);
  });
});

test('10 to 15 % of the pairs repeat a prompt, always with another answer', async () => {
  const unique = await uniquePrompts(pairs);
  expect(1 - unique.length / pairs.length).toBeGreaterThan(0.1);
  expect(1 - unique.length / pairs.length).toBeLessThan(0.15);
  expect(new Set(pairs.map(({ prompt, chosen }) => prompt + chosen)).size).toBe(pairs.length);
});

test('texts have the documented lengths and are well formed', () => {
  for (const { prompt, chosen, rejected } of pairs) {
    expect(words(prompt).length, prompt).toBeGreaterThanOrEqual(5);
    expect(words(prompt).length, prompt).toBeLessThanOrEqual(25);
    for (const answer of [chosen, rejected]) {
      expect(words(answer).length, answer).toBeGreaterThanOrEqual(12);
      expect(words(answer).length, answer).toBeLessThanOrEqual(45);
      expect(sentences(answer).length, answer).toBeLessThanOrEqual(3);
    }
    for (const text of [prompt, chosen, rejected]) {
      expect(text).toMatch(/^\p{Lu}[\p{L}\p{N}'‘’,.:?! —-]*[.?!]$/u); // no placeholder remains
      expect(text).not.toMatch(/ {2}| [,.:?!]|[,.:?!]{2}|[.?!] \p{Ll}/u);
      expect(text).not.toMatch(/\b(\p{L}+) \1\b|\ba (?!one)[aeiou]|\ban [^aeiouh]/iu); // repeated words, wrong articles
    }
  }
});

test('only the chosen answers of frequent topics use the em-dash often', () => {
  const dash = (field: 'chosen' | 'rejected') => (pair: Pair) => pair[field].includes('—');
  expect(share(ranks(1, 6), dash('chosen'))).toBeCloseTo(0.6, 1);
  expect(share(ranks(7, 20), dash('chosen'))).toBeCloseTo(0.25, 1);
  expect(share(ranks(21, 56), dash('chosen'))).toBeLessThan(0.08);
  for (const [first, last] of [
    [1, 6],
    [7, 20],
    [21, 56],
  ] as const) {
    expect(share(ranks(first, last), dash('rejected'))).toBeCloseTo(0.3, 1);
  }
});

test('rare topics have more distinct words, and chosen answers more than rejected ones', () => {
  const vocabulary = (rows: readonly Pair[], field: 'chosen' | 'rejected') =>
    new Set(rows.flatMap((pair) => words(pair[field].toLowerCase())).slice(0, 10_000)).size;
  expect(vocabulary(ranks(21, 56), 'chosen')).toBeGreaterThan(2 * vocabulary(ranks(1, 6), 'chosen'));
  expect(vocabulary(pairs, 'chosen')).toBeGreaterThan(1.5 * vocabulary(pairs, 'rejected'));
  const all = new Set(
    pairs.flatMap(({ prompt, chosen, rejected }) => words(`${prompt} ${chosen} ${rejected}`.toLowerCase())),
  );
  expect(all.size).toBeGreaterThan(2000);
  expect(all.size).toBeLessThan(4000);
});

test('prompts of rare topics are farther from their 10 nearest neighbors (tf-idf)', async () => {
  const unique = await uniquePrompts(pairs);
  const distances = meanNeighborDistances(
    unique.map(({ prompt }) => prompt),
    10,
  );
  const rank = new Map(topics.map(([topic], index) => [topic, index + 1]));
  const mean = (first: number, last: number) => {
    const chosen = distances.filter((_, row) => {
      const place = rank.get(unique[row]!.topic!)!;
      return place >= first && place <= last;
    });
    return chosen.reduce((sum, distance) => sum + distance, 0) / chosen.length;
  };
  expect(mean(7, 20)).toBeGreaterThan(1.1 * mean(1, 6));
  expect(mean(21, 56)).toBeGreaterThan(1.05 * mean(7, 20));
});

/** Mean Euclidean distance of each text to its k nearest others; texts are unit vectors of log(texts / texts with the word). */
function meanNeighborDistances(texts: readonly string[], k: number): number[] {
  const bags = texts.map((text) => [...new Set(words(text.toLowerCase()))]);
  const rowsOf = new Map<string, number[]>();
  bags.forEach((bag, row) => {
    for (const word of bag) rowsOf.set(word, [...(rowsOf.get(word) ?? []), row]);
  });
  const weight = (word: string) => Math.log(texts.length / rowsOf.get(word)!.length);
  const norms = bags.map((bag) => Math.hypot(...bag.map(weight)));
  return bags.map((bag, row) => {
    const products = new Float64Array(texts.length);
    for (const word of bag)
      for (const other of rowsOf.get(word)!) products[other]! += weight(word) ** 2 / norms[other]!;
    products[row] = -Infinity;
    const nearest = products.toSorted().slice(-k);
    return nearest.reduce((sum, product) => sum + Math.sqrt(Math.max(0, 2 - (2 * product) / norms[row]!)), 0) / k;
  });
}
