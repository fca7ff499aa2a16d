import { InvalidArgumentError, nearestName, shown } from '@rarefy/core';

/** What a measure is, for tables and plans. */
export interface MeasureInfo {
  readonly name: string;
  /** For tables and axes, such as `distinct good answers per prompt`. */
  readonly label: string;
  /** What one value is computed from: each answer, the answers to one prompt, or the answers to all prompts of a stratum. */
  readonly scope: 'answer' | 'prompt' | 'stratum';
  /** Which direction is desired; `control` measures say whether others can be trusted. */
  readonly better: 'higher' | 'lower' | 'control';
  /** Measures that alone can move this one; the report shows them beside it. */
  readonly controls: readonly string[];
}

/** A value by measure and stratum; the stratum `all` is the mean of the strata, each with equal weight. */
export type MeasuredValues = Readonly<Record<string, Readonly<Record<string, number>>>>;

type Row = readonly [
  name: string,
  label: string,
  scope: MeasureInfo['scope'],
  better: MeasureInfo['better'],
  controls: readonly string[],
];

/** Longer, cut or garbled answers move every measure of texts. */
const form = ['words', 'terminated', 'garbled'];
const ofGoodAnswers = ['good', 'on-topic', ...form];

const rows: readonly Row[] = [
  ['distinct-good', 'distinct good answers per prompt', 'prompt', 'higher', ofGoodAnswers],
  ['good', 'share of good answers', 'answer', 'higher', ['reward', 'on-topic', ...form]],
  ['on-topic', 'share of answers on topic', 'answer', 'higher', form],
  ['garbled', 'share of garbled answers', 'answer', 'control', []],
  ['reward', 'mean reward', 'answer', 'higher', ['good', 'on-topic', ...form]],
  ['kl', 'KL to the start model, nats per answer', 'answer', 'control', ['words', 'terminated']],
  ['entropy', 'entropy, nats per answer', 'answer', 'higher', form],
  ['words', 'words per answer', 'answer', 'control', []],
  ['terminated', 'share of answers that end by themselves', 'answer', 'control', []],
  ['vendi-prompt', 'Vendi score of the answers to one prompt', 'prompt', 'higher', form],
  ['self-bleu-prompt', 'self-BLEU of the answers to one prompt', 'prompt', 'lower', form],
  ['distinct-2', 'distinct word pairs / all word pairs', 'stratum', 'higher', form],
  ['vocabulary-ratio', 'distinct words / all words', 'stratum', 'higher', form],
  ['mattr', 'distinct words / words in windows of 50 words', 'stratum', 'higher', form],
  ['em-dashes', 'em-dashes per 1,000 words', 'stratum', 'lower', ['good', ...form]],
  ['vendi-across', 'Vendi score of answers to different prompts', 'stratum', 'higher', form],
  ['self-bleu-across', 'self-BLEU of answers to different prompts', 'stratum', 'lower', form],
  ['expectation-adjusted-distinct', 'distinct words / expected distinct words', 'stratum', 'higher', form],
  ['embedding-spread', 'mean cosine distance between answers', 'stratum', 'higher', form],
  ['novelty-utility', 'utility of new good answers per prompt', 'prompt', 'higher', ofGoodAnswers],
  ['good-distinct-2', 'distinct word pairs / all word pairs, good answers', 'stratum', 'higher', ofGoodAnswers],
  ['good-vocabulary-ratio', 'distinct words / all words, good answers', 'stratum', 'higher', ofGoodAnswers],
  ['good-vendi-prompt', 'Vendi score of two good answers to one prompt', 'prompt', 'higher', ofGoodAnswers],
];

/** Every measure, in the order of tables. `docs/guide/measures.md` says how each is computed, and its traps. */
export const measureCatalog: readonly MeasureInfo[] = rows.map(([name, label, scope, better, controls]) =>
  Object.freeze({ name, label, scope, better, controls: Object.freeze(controls) }),
);

/** Measures that exist only if embeddings of the answers are given. */
export const embeddingMeasures: readonly string[] = [
  'vendi-prompt',
  'vendi-across',
  'embedding-spread',
  'good-vendi-prompt',
];

/** @throws InvalidArgumentError if there is no measure with this name. */
export function measureInfo(name: string): MeasureInfo {
  const found = measureCatalog.find((info) => info.name === name);
  if (found !== undefined) return found;
  const names = measureCatalog.map((info) => info.name);
  const near = typeof name === 'string' ? nearestName(name, names) : undefined;
  const hint = near === undefined ? `the measures are ${names.join(', ')}` : `did you mean "${near}"?`;
  throw new InvalidArgumentError(`there is no measure ${shown(name)}; ${hint}`);
}

/**
 * The named measures and all that alone can move one of them, in the order of the catalog. A table that shows these shows no
 * measure without its controls.
 * @throws InvalidArgumentError if there is no measure with one of the names.
 */
export function withControls(names: readonly string[]): MeasureInfo[] {
  const wanted = new Set(names);
  // A set visits what is added during the visit.
  for (const name of wanted) for (const control of measureInfo(name).controls) wanted.add(control);
  return measureCatalog.filter(({ name }) => wanted.has(name));
}
