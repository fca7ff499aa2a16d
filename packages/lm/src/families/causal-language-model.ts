import type { Tensor2D, Tensor3D, Variable } from '@tensorflow/tfjs-core';
import type { OutputHead } from '../layers/basic-layers.js';
import type { ForwardOptions } from '../layers/forward-options.js';
import type { CacheShape } from '../layers/key-value-cache.js';

/** Result of a forward pass over T tokens: [batch, T, vocabulary], and [batch, T, hidden] after the final norm. */
export interface ModelOutput {
  readonly logits: Tensor3D;
  readonly hiddenStates: Tensor3D;
}

/**
 * The smallest model that Rarefy can use: bring your own with this one function.
 * `ids` and `mask` are int32 [batch, T]. The mask is 1 for real tokens and 0 for padding, which may be on either side.
 */
export interface ForwardModel {
  forward(ids: Tensor2D, mask: Tensor2D): ModelOutput;
}

/** The families that are built in, by the `model_type` of their config.json. */
export type ModelFamily =
  | 'gemma3_text'
  | 'gpt2'
  | 'granite'
  | 'llama'
  | 'mistral'
  | 'nanochat'
  | 'olmo2'
  | 'phi3'
  | 'qwen2'
  | 'qwen3'
  | 'smollm3';

export interface ModelDescription {
  /** `custom` for a model that the user brings. */
  readonly family: ModelFamily | 'custom';
  /** Name that tells a user's own model from others. Only needed if it has no `parameters` to tell it by. */
  readonly name?: string;
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  /** Most tokens per row. */
  readonly maxPositions: number;
  /** If set, logits are softCap * tanh(x / softCap): the output head is then not linear. */
  readonly softCap?: number;
}

/** Trained low-rank updates of the linear layers of a frozen model (Hu et al. 2021). */
export interface LoraAdapter {
  /** Rank of the updates: A is [rank, in] and B [out, rank]. */
  readonly rank: number;
  /** The updates are alpha / rank · B · A. */
  readonly alpha: number;
  /** The layers that have updates: full names, or the last parts of names, such as `q_proj` or `mlp.c_proj`. */
  readonly targets: readonly string[];
  /** Folder or hub id of the model without the adapter, for the files of the adapter. */
  readonly basePath?: string;
  /** The model without the adapter. Both share its weights, and both are freed by disposing the model with the adapter. */
  readonly base: CausalLanguageModel;
}

/** A decoder-only language model. Its weights are tfjs variables under their Hugging Face names. */
export interface CausalLanguageModel extends ForwardModel {
  readonly description: ModelDescription;
  /** Absent if `forward` takes no cache; generation then runs a whole forward pass per token. */
  readonly cacheShape?: CacheShape;
  /** The fields of config.json that a built-in family was built from, as JSON: with the weights, they decide its numbers. */
  readonly settings?: string;
  readonly parameters: Readonly<Record<string, Variable>>;
  /** Weights that are saved with the parameters and never trained. Default: none. */
  readonly frozen?: Readonly<Record<string, Variable>>;
  /** @throws InvalidArgumentError, on access and in `forward` and `logits`, if a reward model was saved without an output head. */
  readonly head: OutputHead;
  forward(ids: Tensor2D, mask: Tensor2D, options?: ForwardOptions): ModelOutput;
  /** Only the last hidden states, after the final norm: [batch, T, hidden]. */
  hiddenStates(ids: Tensor2D, mask: Tensor2D, options?: ForwardOptions): Tensor3D;
  /** Logits of hidden states: [n, hidden] → [n, vocabulary]. */
  logits(hiddenStates: Tensor2D): Tensor2D;
  /** The adapter whose weights are the `parameters`; then the `frozen` weights are those of the model without it. See `lora`. */
  readonly adapter?: LoraAdapter;
  /**
   * The same model with other weights of the same names and shapes, which the result owns. Absent if `forward` is bound to its
   * weights, as in a model of your own.
   * @param frozen in place of the `frozen` weights; default: those
   */
  withParameters?(
    parameters: Readonly<Record<string, Variable>>,
    frozen?: Readonly<Record<string, Variable>>,
  ): CausalLanguageModel;
  /** Frees the weights. */
  dispose(): void;
}
