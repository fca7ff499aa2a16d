import { assignWeights } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';

/** Keeps the weights of the best step of a run: in its checkpoint, or in memory if the run saves none. */
export interface BestWeights {
  /** The best step so far; undefined before the first evaluation. */
  readonly step: number | undefined;
  keep(step: number): void;
  /** Continues from the best step of a run that is resumed. */
  resume(step: number | undefined): void;
  /** Gives the weights of the best step back to the variables, unless they still have them. */
  restore(step: number): Promise<void>;
  dispose(): void;
}

/** @param checkpointOf the folder of a step's checkpoint; undefined if the run saves none */
export function bestWeights(
  variables: Readonly<Record<string, tf.Variable>>,
  checkpointOf: ((step: number) => string) | undefined,
): BestWeights {
  let best: number | undefined;
  let copies: Readonly<Record<string, tf.Tensor>> = {};
  return {
    get step() {
      return best;
    },
    resume(step) {
      best = step;
    },
    keep(step) {
      best = step;
      if (checkpointOf) return;
      tf.dispose(copies);
      // Clones share the numbers until an optimizer step gives the variable new ones.
      copies = Object.fromEntries(Object.entries(variables).map(([name, variable]) => [name, tf.clone(variable)]));
    },
    async restore(step) {
      if (best === undefined || best === step) return;
      if (checkpointOf) return assignWeights(checkpointOf(best), variables);
      for (const [name, variable] of Object.entries(variables)) variable.assign(copies[name]!);
    },
    dispose: () => tf.dispose(copies),
  };
}
