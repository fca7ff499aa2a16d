import { InvalidArgumentError, type Sampler, type SamplerState, TrainingError } from '@rarefy/core';

/** Batches of pairs drawn by a sampler. */
export interface PairDraws<Rows> {
  /** The batch of the next step. */
  batch(): Rows[];
  /** Marks the step of the last batch as finished. */
  finish(): void;
  /** State after the last finished step. */
  state(): SamplerState;
  restore(state: SamplerState): void;
}

/** Attempts to fill a batch before it fails: each finds only pairs that were left out. */
const maxAttempts = 1000;

/**
 * Draws pairs by position. A drawn pair without rows was left out: it is skipped, and another one is drawn for it.
 * @param rowsOf rows of each pair by its position; undefined for pairs that were left out
 */
export function pairDraws<Rows>(
  sampler: Sampler,
  rowsOf: readonly (Rows | undefined)[],
  batchSize: number,
): PairDraws<Rows> {
  let beforeStep: SamplerState | undefined; // while a step runs, which an abort may cut short
  return {
    batch() {
      beforeStep = sampler.state();
      const batch: Rows[] = [];
      for (let attempt = 0; attempt < maxAttempts && batch.length < batchSize; attempt++) {
        const { positions } = sampler.draw(batchSize - batch.length);
        if (positions.length === 0) throw new TrainingError('the sampler is finished; train for fewer steps');
        for (const position of positions) {
          if (!(position >= 0 && position < rowsOf.length)) {
            throw new InvalidArgumentError(
              `the sampler drew position ${position}, and there are ${rowsOf.length} pairs`,
            );
          }
          const rows = rowsOf[position];
          if (rows !== undefined) batch.push(rows);
        }
      }
      if (batch.length === batchSize) return batch;
      throw new TrainingError(
        'the sampler draws only pairs that are left out (too long, or held out); raise maxLength, or draw others',
      );
    },
    finish() {
      beforeStep = undefined;
    },
    state: () => beforeStep ?? sampler.state(),
    restore: (state) => sampler.restore(state),
  };
}
