import type { Component, Stateful } from './component.js';

/** The next draws of a sampler. Only `positions` is required. */
export interface Draws {
  /** Row numbers in the data set, in draw order. */
  readonly positions: Int32Array;
  /** Probability of each draw at the time it was made: the q of propensity weighting. */
  readonly probabilities?: Float64Array;
  /** Index of the first of these draws in the sampler's stream. */
  readonly first?: number;
  /** Version of the weights in force for these draws. */
  readonly version?: number;
}

/** What the sampler learns about the prompts of a finished training step. */
export interface Feedback {
  readonly step: number;
  /** One position per group. */
  readonly positions: Int32Array;
  /** Mean reward of each group. */
  readonly rewards?: Float32Array;
}

export interface SamplerCapabilities {
  /** Whether a position can be drawn again before every other position was drawn. */
  readonly replacement: boolean;
  /** Whether the stream of draws ends. */
  readonly finite: boolean;
  /** Whether `observe` changes later draws. Loaders do not prefetch from such a sampler. */
  readonly adaptive: boolean;
}

/** Small JSON. The content of `payload` is private to the sampler. */
export interface SamplerState {
  readonly version: 1;
  readonly fingerprint: string;
  readonly payload: unknown;
}

/** Chooses which prompts a training step sees. */
export interface Sampler extends Component<'sampler', SamplerCapabilities>, Stateful<SamplerState> {
  /** The next `count` draws, or fewer if the sampler is finished. Synchronous, because it runs between two training steps. */
  draw(count: number): Draws;
  /** Learns from a finished step. Changes later draws only. */
  observe?(feedback: Feedback): void;
  /** Version of the weights in force for the next draw, if they can change; 0 before the first change. */
  readonly weightsVersion?: number | undefined;
  /** Probability of each position at the next draw; sums to 1. */
  probabilities?(): Float64Array;
}

/** A sampler for `for (const position of sampler)`. Every loop continues the same stream of draws; leave it with `break`. */
export interface IterableSampler extends Sampler, Iterable<number> {}

/** New weights for some positions, in force from the next draw. */
export interface WeightUpdate {
  /** Grows with every update; usually the step or policy version that the weights come from. */
  readonly version: number;
  readonly positions: Int32Array;
  /** One weight per position, finite and ≥ 0. */
  readonly weights: Float64Array;
}
