import { described, type Embedder, type Matrix } from '@rarefy/core';
import type { Check } from '../check.js';
import { type ComponentCheck, type ComponentForm, componentChecks } from '../component-checks.js';
import { ensure, ensureAborts, ensureAbortsMidway, ensureClose, ensureFinite, ensureMatrix } from '../ensure.js';
import { needed } from '../subject-members.js';
import type { EmbedderSubject } from '../subjects.js';
import {
  disposesTwice,
  failsOrAnswersAfterDisposal,
  leavesInputUnchanged,
  leavesResultsToCaller,
  type MainCall,
  rejectsIfAborted,
  rejectsIfAbortedMidway,
  repeatsResults,
  separatesConcurrentCalls,
} from './life-checks.js';

const englishTexts = [
  'Why is the sky blue?',
  'Write a haiku about rain.',
  'Explain, step by step and with an example that a child of ten would understand, how compound interest works.',
  'Hi',
  'Translate "good morning" into French, German and Japanese.',
];

const oddTexts: Readonly<Record<string, string>> = {
  'an empty text': '',
  'a blank': ' ',
  'line feeds': '\n\n',
  emoji: '👩‍👩‍👧‍👦 🏳️‍🌈',
  'right-to-left text': 'مرحبا بالعالم',
  'a NUL character': 'a\u0000b',
  'a lone surrogate': 'half a pair \ud83d',
  '100,000 characters without a space': 'x'.repeat(100_000),
  '100,000 characters of words': 'many words '.repeat(9_091),
};

const largestBatch = 1024; // a larger maxBatch is not tried

/** The checks of every embedder of texts. */
export function embedderChecks(subject: EmbedderSubject): Check[] {
  const { texts = englishTexts, countTensors } = subject;
  const embedBatch: MainCall<Embedder, string[]> = {
    method: 'embedBatch',
    ready: (create) => create(),
    inputs: () => [[...texts], texts.toReversed()],
    oneRow: () => [texts[0]!],
    call: async (embedder, items, signal) => ({ rows: (await embedder.embedBatch(items, { signal })).embeddings.data }),
    tolerance: ({ capabilities }) => capabilities.batchTolerance,
  };
  const form: ComponentForm<Embedder> = {
    methods: ['embedBatch', Symbol.asyncDispose],
    async results(embedder) {
      const result: unknown = await embedder.embedBatch([texts[0]!]);
      const hasEmbeddings = typeof result === 'object' && result !== null && 'embeddings' in result;
      ensure(
        hasEmbeddings,
        `expected embedBatch to return { embeddings }, got ${described(result)}; matrix(rows) of @rarefy/core makes embeddings from an array of rows`,
      );
      ensureMatrix(result.embeddings, 'embeddings');
    },
  };
  return componentChecks('embedder', subject, form, [
    ...rowChecks(texts),
    ...textChecks(texts),
    followsOptions(texts, subject.variants),
    leavesInputUnchanged(embedBatch),
    leavesResultsToCaller(embedBatch),
    separatesConcurrentCalls(embedBatch),
    repeatsResults(embedBatch, {
      capability: 'deterministic rows',
      met: ({ capabilities }) => capabilities.deterministic,
    }),
    rejectsIfAborted(embedBatch),
    rejectsIfAbortedMidway(embedBatch),
    disposesTwice(embedBatch),
    failsOrAnswersAfterDisposal(embedBatch),
    freesTensors(texts, countTensors),
  ]);
}

/** Which row belongs to which text, for any batch. */
function rowChecks(texts: readonly string[]): ComponentCheck<Embedder>[] {
  return [
    {
      name: 'declares valid limits',
      why: 'Batches are cut and vectors are compared by these numbers.',
      async run({ create }) {
        const { dimensions, maxBatch, maxConcurrency, batchTolerance } = (await create()).capabilities;
        const isCount = (value: number) => value >= 1 && (Number.isInteger(value) || value === Infinity);
        ensure(isCount(dimensions) && dimensions < Infinity, `dimensions must be an integer ≥ 1, got ${dimensions}`);
        ensure(isCount(maxBatch), `maxBatch must be an integer ≥ 1 or Infinity, got ${maxBatch}`);
        ensure(isCount(maxConcurrency), `maxConcurrency must be an integer ≥ 1 or Infinity, got ${maxConcurrency}`);
        ensure(batchTolerance >= 0 && batchTolerance < 1, `batchTolerance must be in [0, 1), got ${batchTolerance}`);
      },
    },
    {
      name: 'returns one finite row per text, of the declared dimensions',
      why: 'Rows are matched with prompts by their index.',
      async run({ create }) {
        const embedder = await create();
        ensureShape(await embedRows(embedder, texts), texts.length, embedder);
      },
    },
    {
      name: 'returns no rows for no texts',
      why: 'A stream can end with an empty batch.',
      async run({ create }) {
        const embedder = await create();
        ensureShape(await embedRows(embedder, []), 0, embedder);
      },
    },
    {
      name: 'returns different rows for different texts',
      why: 'If different prompts have equal vectors, their density means nothing.',
      async run({ create }) {
        const rows = split(await embedRows(await create(), texts));
        const distinct = new Set(rows.map((row) => row.join())).size;
        ensure(distinct === texts.length, `${texts.length} different texts gave only ${distinct} different rows`);
      },
    },
    {
      name: 'keeps the order of the texts',
      why: 'A row at the wrong index gives a prompt the weight of another.',
      async run({ create }) {
        const embedder = await create();
        const forward = split(await embedRows(embedder, texts));
        const backward = split(await embedRows(embedder, texts.toReversed())).reverse();
        ensureOrder(backward, forward, embedder);
        ensureRows(backward, forward, embedder, 'of a reversed batch');
      },
    },
    {
      name: 'embeds a text alone as in a batch',
      why: 'Padding must not count. A vector that depends on its batch gives a density that depends on chance.',
      async run({ create }) {
        const embedder = await create();
        const together = split(await embedRows(embedder, texts));
        ensureRows(await embedAlone(embedder, texts), together, embedder, 'embedded alone');
      },
    },
    {
      name: 'returns equal rows for equal texts',
      why: 'Copies of a prompt must have distance 0 to each other.',
      async run({ create }) {
        const embedder = await create();
        const [first, , second] = split(await embedRows(embedder, [texts[0]!, texts[1]!, texts[0]!]));
        ensureRows([second!], [first!], embedder, 'for the copy of a text in the same batch');
      },
    },
    {
      name: 'accepts a batch of the declared size',
      why: 'A row lost from a full batch shifts all prompts after it.',
      requires: {
        capability: `a maxBatch of at most ${largestBatch}`,
        met: ({ capabilities }) => capabilities.maxBatch <= largestBatch,
      },
      async run({ create }) {
        const embedder = await create();
        const { maxBatch } = embedder.capabilities;
        const items = Array.from({ length: maxBatch }, (_, index) => `${texts[index % texts.length]} ${index}`);
        const embeddings = await embedRows(embedder, items);
        ensureShape(embeddings, maxBatch, embedder);
        const rows = split(embeddings);
        const alone = await embedAlone(embedder, [items[0]!, items.at(-1)!]);
        ensureRows([rows[0]!, rows.at(-1)!], alone, embedder, 'of the first and last text of a full batch');
      },
    },
    {
      name: 'returns rows of length 1',
      why: 'Only then are inner products cosines.',
      requires: { capability: 'normalized rows', met: ({ capabilities }) => capabilities.normalized },
      async run({ create }) {
        for (const [index, row] of split(await embedRows(await create(), texts)).entries()) {
          const length = Math.hypot(...row);
          ensure(Math.abs(length - 1) < 1e-5, `expected row ${index} to have length 1, got ${length}`);
        }
      },
    },
  ];
}

/** What users write. */
function textChecks(texts: readonly string[]): ComponentCheck<Embedder>[] {
  return [
    {
      name: 'embeds unusual texts',
      why: 'Prompts come from strangers: empty, very long, in any script, or cut inside a character.',
      async run({ create }) {
        const embedder = await create();
        for (const [what, text] of Object.entries(oddTexts)) {
          const embeddings = await embedRows(embedder, [text]).catch((error: unknown) => {
            throw new Error(`${what} failed with ${error}`, { cause: error });
          });
          ensureShape(embeddings, 1, embedder);
        }
      },
    },
    {
      name: 'embeds usual texts the same beside unusual ones',
      why: 'If an empty text loses its row, every later prompt gets the vector of another.',
      async run({ create }) {
        const embedder = await create();
        const odd = ['', ' ', 'half a pair \ud83d', '👩‍👩‍👧‍👦'];
        const mixed = texts.flatMap((text, index) => [odd[index % odd.length]!, text]);
        const rows = split(await embedRows(embedder, mixed)).filter((_, row) => row % 2 === 1);
        ensureRows(rows, await embedAlone(embedder, texts), embedder, 'beside unusual texts');
      },
    },
    {
      name: 'reports truncated texts',
      why: 'Long prompts that differ only after the truncation become copies of each other, and users must know.',
      async run({ create }) {
        const embedder = await create();
        for (const words of [10, 100, 1_000, 10_000]) {
          const start = 'the beginning is all the same and '.repeat(Math.ceil(words / 7));
          const { embeddings, truncated = [] } = await embedder.embedBatch([`${start}alpha`, `${start}omega`]);
          const [one, other] = split(embeddings);
          const isSame = one!.every((value, col) => value === other![col]);
          const reported = new Set(truncated);
          ensure(
            !isSame || (reported.has(0) && reported.has(1)),
            `two texts of about ${words} words with different ends have the same row, but truncated is [${[...truncated]}]`,
          );
        }
      },
    },
    {
      name: 'reports truncated texts by their index in the batch',
      why: 'A report that names the wrong prompt is worse than none.',
      async run({ create }) {
        const embedder = await create();
        const long = 'many words '.repeat(9_091);
        const [short, other] = [texts[0]!.slice(0, 8), texts[1]!.slice(0, 8)];
        const isTruncated = ((await embedder.embedBatch([long])).truncated ?? []).length > 0;
        const { truncated = new Uint32Array() } = await embedder.embedBatch([short, long, other, long]);
        const expected = isTruncated ? [1, 3] : [];
        ensure(truncated.join() === expected.join(), `expected truncated to be [${expected}], got [${truncated}]`);
      },
    },
  ];
}

function followsOptions(texts: readonly string[], variants: EmbedderSubject['variants']): ComponentCheck<Embedder> {
  return {
    name: 'returns other rows for another option',
    why: 'A seed or pooling that is ignored makes two settings equal, although their fingerprints say that they differ.',
    requires: { capability: needed('embedder', 'variants'), met: () => variants !== undefined },
    async run({ create }) {
      const items = [...texts, 'many words '.repeat(1_000)]; // an option may only change where a text is truncated
      const rows = await embedAlone(await create(), items);
      for (const variant of variants!) {
        const embedder = await variant();
        const others = await embedAlone(embedder, items);
        await embedder[Symbol.asyncDispose]();
        if (rows.some((row, text) => row.join() !== others[text]!.join())) return; // an option may have no effect on these texts
      }
      throw new Error(
        `no variant returns other rows than the main embedder, for any of ${items.length} texts, so its option is ignored; give a variant that changes rows`,
      );
    },
  };
}

function freesTensors(texts: readonly string[], countTensors: (() => number) | undefined): ComponentCheck<Embedder> {
  return {
    name: 'frees its tensors',
    why: 'One forgotten tensor per batch fills the memory of a GPU overnight.',
    requires: { capability: needed('embedder', 'countTensors'), met: () => countTensors !== undefined },
    async run({ create }) {
      const before = countTensors!();
      const embedder = await create();
      await embedRows(embedder, texts); // tensors made on first use may stay until disposal
      const steady = countTensors!();
      for (let call = 0; call < 20; call++) await embedRows(embedder, [texts[call % texts.length]!]);
      await ensureAborts((signal) => embedder.embedBatch([...texts], { signal }));
      await ensureAbortsMidway(
        (signal) => embedder.embedBatch([...texts], { signal }),
        () => {},
      );
      const leaked = countTensors!() - steady;
      ensure(leaked === 0, `${leaked} more tensors in memory after 20 batches and some aborted ones`);
      await embedder[Symbol.asyncDispose]();
      const kept = countTensors!() - before;
      ensure(kept <= 0, `${kept} more tensors in memory after disposal than before creation`);
    },
  };
}

/** The embeddings of one batch. */
async function embedRows(embedder: Embedder, items: readonly string[]): Promise<Matrix> {
  return (await embedder.embedBatch([...items])).embeddings;
}

/** The embedding of every text, each in a batch of its own. */
async function embedAlone(embedder: Embedder, items: readonly string[]): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (const item of items) rows.push(...split(await embedRows(embedder, [item])));
  return rows;
}

/** Views of the rows. */
function split({ data, rows, cols }: Matrix): Float32Array[] {
  return Array.from({ length: rows }, (_, row) => data.subarray(row * cols, (row + 1) * cols));
}

/** @throws Error unless there is one finite row of the embedder's dimensions per text. */
function ensureShape({ data, rows, cols }: Matrix, texts: number, { capabilities }: Embedder): void {
  const { dimensions } = capabilities;
  ensure(
    rows === texts && cols === dimensions && data.length === rows * cols,
    `expected ${texts} x ${dimensions} for ${texts} texts, got ${rows} x ${cols} with ${data.length} numbers`,
  );
  ensureFinite(data, `the rows of ${texts} texts`);
}

/** @throws Error if the row of a text in one batch is that of another text in the other batch. */
function ensureOrder(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
  { capabilities }: Embedder,
): void {
  const isNear = (one: Float32Array, other: Float32Array) =>
    largestDifference(one, other) <= capabilities.batchTolerance;
  for (const [text, row] of actual.entries()) {
    if (expected[text] === undefined || isNear(row, expected[text])) continue;
    const other = expected.findIndex((candidate) => isNear(row, candidate));
    ensure(
      other < 0,
      `in a reversed batch, text ${text} gets the row that text ${other} has in the batch; rows must be in the order of the texts`,
    );
  }
}

/** Compares rows within the embedder's `batchTolerance`. */
function ensureRows(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
  embedder: Embedder,
  when: string,
): void {
  ensure(actual.length === expected.length, `expected ${expected.length} rows ${when}, got ${actual.length}`);
  const { batchTolerance } = embedder.capabilities;
  for (const [row, values] of actual.entries()) {
    const difference = largestDifference(values, expected[row]!);
    const isRounding = difference > batchTolerance && difference < 1e-3 * Math.max(...expected[row]!.map(Math.abs));
    ensure(
      !isRounding,
      `row ${row} ${when} differs by up to ${difference.toExponential(1)}, but capabilities.batchTolerance is ${batchTolerance}; if this is rounding, declare at least ${(2 * difference).toExponential(0)}`,
    );
    ensureClose(values, expected[row]!, batchTolerance, `row ${row} ${when}`);
  }
}

function largestDifference(one: Float32Array, other: Float32Array): number {
  return one.reduce((largest, value, col) => Math.max(largest, Math.abs(value - other[col]!)), 0);
}
