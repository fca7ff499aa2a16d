import type { PolicyLoss } from './policy-loss.js';

/** The weight of the entropy bonus over a run; the state resumes it. See `AdaptiveEntropy`. */
export interface EntropyControl {
  /** Of the next optimizer step. undefined: the loss has a fixed one. */
  readonly applied: number | undefined;
  /** Current coefficient, whether it applies or not; undefined if it is fixed. */
  readonly coefficient: number | undefined;
  /** Adapts to the mean entropy of an optimizer step. */
  observe(entropy: number): void;
  state(): { readonly coefficient: number; readonly last: number | null } | null;
  restore(state: { readonly coefficient: number; readonly last: number | null } | null): void;
}

/** The adaptive control of TRL's `use_adaptive_entropy`. */
export function entropyControl({ adaptiveEntropy, settings }: PolicyLoss): EntropyControl {
  let coefficient = Number(settings?.entropyCoef ?? 0);
  let last = Infinity; // entropy of the step before
  return {
    get applied() {
      return adaptiveEntropy && (last <= adaptiveEntropy.target ? coefficient : 0);
    },
    get coefficient() {
      return adaptiveEntropy && coefficient;
    },
    observe(entropy) {
      if (!adaptiveEntropy) return;
      const { target, delta, min, max } = adaptiveEntropy;
      coefficient = entropy <= target ? Math.min(coefficient + delta, max) : Math.max(coefficient - delta, min);
      last = entropy;
    },
    state: () => (adaptiveEntropy ? { coefficient, last: Number.isFinite(last) ? last : null } : null),
    restore(state) {
      if (!state) return;
      coefficient = state.coefficient;
      last = state.last ?? Infinity;
    },
  };
}
