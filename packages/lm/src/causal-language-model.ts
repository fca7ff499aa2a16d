import type { Tensor1D, Tensor2D, Tensor3D, Tensor4D, Variable } from '@tensorflow/tfjs-core';

/** What a model makes of a batch of T tokens: [batch, T, vocabulary] and [batch, T, hidden], after the final norm. */
export interface ModelOutput {
  readonly logits: Tensor3D;
  readonly hiddenStates: Tensor3D;
}

/**
 * The smallest model that Rarefy can use: bring your own through this one function.
 * `ids` and `mask` are int32 [batch, T]; mask is 1 for real tokens and 0 for padding, on either side.
 */
export interface ForwardModel {
  forward(ids: Tensor2D, mask: Tensor2D): ModelOutput;
}

export type ModelFamily = 'gpt2' | 'llama' | 'nanochat';

export interface ModelDescription {
  /** `custom` for a user's own model. */
  readonly family: ModelFamily | 'custom';
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  /** Longest row of tokens the model was made for. */
  readonly maxPositions: number;
  /** Logits are softCap * tanh(x / softCap) when set: the output head is then not linear. */
  readonly softCap?: number;
}

/** What a key/value cache of the model is made of. */
export interface CacheShape {
  readonly layers: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/** The output head: logits = softCap(hidden · weightᵀ + bias), weight [vocabulary, hidden]. */
export interface OutputHead {
  readonly weight: Tensor2D;
  /** [vocabulary]; none in the three families. */
  readonly bias?: Tensor1D;
  readonly softCap?: number;
}

export interface ForwardOptions {
  /** int32 [batch, T]; default: real tokens counted from 0, so a padded row equals the same row alone. */
  readonly positions?: Tensor2D;
  /** Keys and values of earlier tokens; read and extended in place. */
  readonly cache?: KeyValueCache;
}

/** Keys and values of every layer, [batch, keyValueHeads, length, headSize] each, of fixed length. */
export interface KeyValueCache {
  readonly length: number;
  /** Columns already filled. */
  filled: number;
  readonly keys: Tensor4D[];
  readonly values: Tensor4D[];
  /** 1 for each filled column that holds a real token: int32 [batch, length]. */
  mask: Tensor2D;
}

/** A decoder-only language model whose weights are tfjs variables under their Hugging Face names. */
export interface CausalLanguageModel extends ForwardModel {
  readonly description: ModelDescription;
  /** Absent when `forward` takes no cache; generation then costs a whole forward pass a token. */
  readonly cacheShape?: CacheShape;
  readonly parameters: Readonly<Record<string, Variable>>;
  readonly head: OutputHead;
  forward(ids: Tensor2D, mask: Tensor2D, options?: ForwardOptions): ModelOutput;
  /** Only the last hidden states, after the final norm: [batch, T, hidden]. */
  hiddenStates(ids: Tensor2D, mask: Tensor2D, options?: ForwardOptions): Tensor3D;
  /** Logits of hidden states: [n, hidden] → [n, vocabulary]. */
  logits(hiddenStates: Tensor2D): Tensor2D;
  /** Frees the weights. */
  dispose(): void;
}
