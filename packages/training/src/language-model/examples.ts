import { checkOptions, counterRandom, InputError, InvalidArgumentError } from '@rarefy/core';
import { type ChatFormat, type ChatPrompt, checkChatFormat } from '@rarefy/tokenizers';

/** One row of training tokens. Tokens from index `firstTrained` on are predicted; earlier ones are only read. */
export interface TrainingExample {
  readonly ids: Int32Array;
  readonly firstTrained: number;
}

/** The examples of a step, from 0: a pure function of the step, so that a resumed run sees the same as an uninterrupted one. */
export type ExamplesAt = (step: number) => readonly TrainingExample[];

/** All rows in one, for {@link windows}. */
export function concatenated(rows: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const row of rows) {
    all.set(row, start);
    start += row.length;
  }
  return all;
}

/** Random windows of `length` tokens of one long row, for pre-training. @throws InputError if the row is shorter than `length`. */
export function windows(tokens: Int32Array, options: { length: number; batchSize: number; seed: number }): ExamplesAt {
  checkOptions(options, ['length', 'batchSize', 'seed'], 'windows');
  const { length, batchSize, seed } = options;
  if (tokens.length < length)
    throw new InputError(`the corpus has ${tokens.length} tokens, and a row needs ${length}; give more text`);
  const random = counterRandom(seed);
  return (step) =>
    Array.from({ length: batchSize }, (_, row) => {
      const start = Math.floor(random.uniform(step * batchSize + row) * (tokens.length - length + 1));
      return { ids: tokens.subarray(start, start + length), firstTrained: 1 };
    });
}

/**
 * One example per conversation, for fine-tuning on answers: the answer and its stop token are trained, the prompt is only read. A
 * conversation that is too long loses the beginning of its prompt, then the end of its answer.
 * @param options.format such as `chatFormat(tokenizer)`, or a format of your own
 * @param options.maxTokens most tokens per example, such as the positions of the model; default: no limit
 * @throws what {@link ChatFormat.conversation} throws; InvalidArgumentError if an option is unknown or `format` is not a format.
 */
export function answerExamples(
  conversations: Iterable<{ readonly prompt: ChatPrompt; readonly answer: string }>,
  options: { readonly format: ChatFormat; readonly maxTokens?: number },
): TrainingExample[] {
  checkOptions(options, ['format', 'maxTokens'], 'answerExamples');
  const { format, maxTokens } = options;
  checkChatFormat(format, 'answerExamples');
  return Array.from(conversations, ({ prompt, answer }) => {
    const { ids, answerStart } = format.conversation(prompt, answer, maxTokens);
    return { ids, firstTrained: answerStart };
  });
}

/**
 * Batches of whole examples. Each epoch has every example once, in its own random order; what does not fill a batch starts the
 * next one.
 * @throws InvalidArgumentError if `examples` is empty.
 */
export function shuffled<Example>(
  examples: readonly Example[],
  options: { batchSize: number; seed: number },
): (step: number) => readonly Example[] {
  checkOptions(options, ['batchSize', 'seed'], 'shuffled');
  const { batchSize, seed } = options;
  if (examples.length === 0) throw new InvalidArgumentError('examples is empty; give at least one example to train on');
  let epoch = -1;
  let order: Int32Array = new Int32Array(0);
  const at = (index: number): Example => {
    const wanted = Math.floor(index / examples.length);
    if (wanted !== epoch) {
      epoch = wanted;
      order = permutation(examples.length, seed, epoch);
    }
    return examples[order[index % examples.length]!]!;
  };
  return (step) => Array.from({ length: batchSize }, (_, row) => at(step * batchSize + row));
}

/** A random permutation by Fisher-Yates. */
function permutation(size: number, seed: number, epoch: number): Int32Array {
  const random = counterRandom(seed).fork(epoch);
  const order = Int32Array.from({ length: size }, (_, index) => index);
  for (let last = size - 1; last > 0; last--) {
    const other = Math.floor(random.uniform(last) * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
