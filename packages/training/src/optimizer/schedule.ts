import { checkInteger, checkOptions, InvalidArgumentError } from '@rarefy/core';

/** Learning rate of a step (the first is 1) in a run of `steps`, as a share of the highest rate: in [0, 1]. */
export type Schedule = (step: number, steps: number) => number;

/** What follows the warmup: the full rate, linear decay to 0, or cosine decay to 0. */
export type ScheduleType = 'constant' | 'linear' | 'cosine';

const shapes: Readonly<Record<ScheduleType, (done: number) => number>> = {
  constant: () => 1,
  linear: (done) => 1 - done,
  cosine: (done) => (1 + Math.cos(Math.PI * done)) / 2,
};

/**
 * The schedules of Hugging Face transformers. The first step of a warmup has rate 0; a decay reaches 0 one step after the last.
 * @param options.warmupSteps steps in which the rate rises linearly; an integer ≥ 0, default 0
 * @throws InvalidArgumentError if `type` is unknown or `warmupSteps` is not an integer ≥ 0.
 */
export function learningRateSchedule(type: ScheduleType, options: { readonly warmupSteps?: number } = {}): Schedule {
  checkOptions(options, ['warmupSteps'], 'learningRateSchedule');
  const { warmupSteps = 0 } = options;
  if (!Object.hasOwn(shapes, type)) {
    throw new InvalidArgumentError(`type must be 'constant', 'linear' or 'cosine', got '${type}'`);
  }
  checkInteger('warmupSteps', warmupSteps, 0);
  return (step, steps) => {
    const taken = step - 1;
    if (taken < warmupSteps) return taken / warmupSteps;
    return shapes[type](Math.min(1, (taken - warmupSteps) / Math.max(1, steps - warmupSteps)));
  };
}
