import type { Component, Stateful } from './component.js';

/** The next draws of a sampler. Only `positions` is required. */
export interface Draws {
  /** Row numbers in the data set, in draw order. */
  readonly positions: Int32Array;
  /** Chance that each draw had when it was made: the q of propensity weighting. */
  readonly probabilities?: Float64Array;
  /** Index of the first of these draws in the sampler's stream. */
  readonly first?: number;
  /** Weight version in force for these draws. */
  readonly version?: number;
}

/** What a finished training step tells the sampler about the prompts it used. */
export interface Feedback {
  readonly step: number;
  /** One a group. */
  readonly positions: Int32Array;
  /** Mean reward of each group. */
  readonly rewards?: Float32Array;
}

export interface SamplerCapabilities {
  /** Whether one position may come twice before every other came once. */
  readonly replacement: boolean;
  /** Whether `draw` comes to an end. */
  readonly finite: boolean;
  /** Whether `observe` changes later draws; loaders then do not draw ahead. */
  readonly adaptive: boolean;
}

/** Small JSON. What lies in `payload` is the sampler's own. */
export interface SamplerState {
  readonly version: 1;
  readonly fingerprint: string;
  readonly payload: unknown;
}

export interface Sampler extends Component<'sampler', SamplerCapabilities>, Stateful<SamplerState> {
  /** The next draws. Synchronous: it sits between two training steps. Fewer than `count` only when the sampler is finished. */
  draw(count: number): Draws;
  /** Learns from a finished step; changes later draws only. */
  observe?(feedback: Feedback): void;
  /** Version of the weights in force for the next draw, for samplers whose weights change; 0 before the first change. */
  readonly weightsVersion?: number | undefined;
  /** Probability of each position at the next draw; sums to 1. */
  probabilities?(): Float64Array;
}

/** New weights for some positions, in force from the next draw on. */
export interface WeightUpdate {
  /** Grows with every update; usually the step or policy version that the weights come from. */
  readonly version: number;
  readonly positions: Int32Array;
  /** One a position, finite and ≥ 0. */
  readonly weights: Float64Array;
}
