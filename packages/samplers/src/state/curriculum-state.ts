import { digest, encodeBase64, StateMismatchError } from '@rarefy/core';
import { decodeDoubles, isRecord, readIndex } from './sampler-state.js';

/** Feedback as the state stores it; it was given before draw `next`. */
export interface RecordedFeedback {
  readonly next: number;
  readonly positions: readonly number[];
  /** One per position, in [0, 1]. */
  readonly passRates: readonly number[];
}

/** What a curriculum knows about each position before draw `next`. */
export interface CurriculumSnapshot {
  readonly next: number;
  /** Base64 of float64 numbers: all pass rates, then all last draws, then all weights in force. */
  readonly values: string;
  readonly digest: string;
}

export function takeSnapshot(next: number, lists: readonly Float64Array[], weightsDigest: string): CurriculumSnapshot {
  const size = lists[0]!.length;
  const values = new Float64Array(lists.length * size);
  for (const [index, list] of lists.entries()) values.set(list, index * size);
  return Object.freeze({ next, values: encodeBase64(values), digest: digest(values, digest([next], weightsDigest)) });
}

/** The arrays of a snapshot. @throws StateMismatchError if it is damaged or belongs to other weights. */
export function readSnapshot(
  value: unknown,
  size: number,
  weightsDigest: string,
): { snapshot: CurriculumSnapshot; lists: Float64Array[] } {
  if (!isRecord(value)) throw new StateMismatchError('state has no snapshot; it is damaged');
  const values = decodeDoubles(value.values);
  const next = readIndex(value.next, 'next of the snapshot');
  if (values.length !== 3 * size || value.digest !== digest(values, digest([next], weightsDigest))) {
    throw new StateMismatchError('the snapshot in the state is damaged or of other weights');
  }
  return {
    snapshot: Object.freeze({ next, values: value.values as string, digest: value.digest as string }),
    lists: [0, 1, 2].map((index) => values.slice(index * size, (index + 1) * size)),
  };
}

/** Digest of one feedback and the history before it. */
export function chainFeedback({ next, positions, passRates }: RecordedFeedback, history: string): string {
  return digest(passRates, digest(positions, digest([next], history)));
}

/** Reads feedback from JSON. @throws StateMismatchError if its shape is wrong. */
export function readFeedback(value: unknown, size: number): RecordedFeedback[] {
  if (!Array.isArray(value)) throw new StateMismatchError('state has no list of feedback; it is damaged');
  return value.map((feedback: unknown) => {
    if (!isRecord(feedback))
      throw new StateMismatchError('a feedback in the state is not an object; the state is damaged');
    const { positions, passRates } = feedback;
    const isValid =
      Array.isArray(positions) &&
      Array.isArray(passRates) &&
      positions.length === passRates.length &&
      positions.every((position) => Number.isInteger(position) && position >= 0 && position < size) &&
      passRates.every((rate) => typeof rate === 'number' && rate >= 0 && rate <= 1);
    if (!isValid) {
      throw new StateMismatchError('a feedback in the state has invalid positions or pass rates; the state is damaged');
    }
    return Object.freeze({ next: readIndex(feedback.next, 'next of a feedback'), positions, passRates });
  });
}
