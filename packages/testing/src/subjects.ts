import type {
  DensityEstimator,
  Embedder,
  EmbeddingView,
  Exporter,
  LoadedBatch,
  Loader,
  MetricLogger,
  Sampler,
} from '@rarefy/core';

/** How checks get a component. */
export interface Subject<Component> {
  /** Makes a fresh component at every call, independent of the others and equal to them. */
  readonly create: () => Component | Promise<Component>;
  /** Make the component with one option changed, a different one each. All their fingerprints must differ. */
  readonly variants?: readonly (() => Component | Promise<Component>)[];
  /** Fingerprint of an equal component in an earlier process, written down in the test. */
  readonly fingerprint?: string;
}

/** What `embedderChecks` takes. `create` makes embedders with the same model and options. */
export interface EmbedderSubject extends Subject<Embedder> {
  /** Texts that the embedder is made for: at least three, all different. Default: English prompts. */
  readonly texts?: readonly string[];
  /** Number of tensors in memory, such as `tf.memory().numTensors`. */
  readonly countTensors?: () => number;
}

/** What `densityEstimatorChecks` takes. The estimator must accept 100 rows of length 1. */
export interface DensitySubject extends Subject<DensityEstimator> {
  /** The power p such that scaling all points by s scales densities by s^p: -1 if density is 1 / distance. */
  readonly scalePower?: number;
  /**
   * Whether a fit derives parameters from the points, such as a bandwidth or clusters. Removing a row then changes the parameters,
   * so its leave-one-out density differs from its score under a fit of the other rows.
   */
  readonly adapts?: boolean;
}

/** What `samplerChecks` takes. `create` makes samplers with the same weights, options and seed. */
export interface SamplerSubject extends Subject<Sampler> {
  /** Positions are in [0, size). Default: the length of `probabilities()`, if the sampler has them. */
  readonly size?: number;
  /**
   * Makes a sampler of the same kind from these weights, if its draws follow weights. With replacement, each position must be drawn
   * in proportion to its weight; without, the first draw of each epoch, and every epoch must hold all positions. Checked for
   * samplers that do not adapt, by a chi-square test at level 1e-6. `seed` is an integer, always the same.
   */
  readonly fromWeights?: (weights: Float64Array, seed: number) => Sampler | Promise<Sampler>;
}

/** Exported files by path. */
export type ExportedFiles = ReadonlyMap<string, Uint8Array>;

/** What `exporterChecks` takes. */
export interface ExporterSubject extends Subject<Exporter> {
  /**
   * Reads files back, as much of the view as they hold. Numbers are compared as float32. Texts may be cut to their first 100
   * characters or more.
   */
  readonly read?: (files: ExportedFiles) => Partial<EmbeddingView> | Promise<Partial<EmbeddingView>>;
}

export interface LoaderSetting {
  readonly sampler: Sampler;
  readonly batchSize: number;
  readonly groupSize: number;
  /** Number of batches to draw ahead; default that of the loader. */
  readonly prefetch?: number;
  readonly signal?: AbortSignal;
}

/** What `loaderChecks` takes. */
export interface LoaderSubject {
  /** Makes a fresh loader that feeds these prompts in the order of the sampler. */
  readonly create: (prompts: readonly string[], setting: LoaderSetting) => Loader | Promise<Loader>;
  /** The rows of a training step: every prompt of the batch `groupSize` times. */
  rows?(batch: LoadedBatch<string>): readonly string[];
  /** Number of tensors in memory, such as `tf.memory().numTensors`. */
  readonly countTensors?: () => number;
}

/** One step read back from a logger. A value is null if it was NaN or infinite. */
export interface LoggedStep {
  readonly step: number;
  readonly metrics: Readonly<Record<string, number | null>>;
}

/** A fresh logger, and a function that reads back what it has written so far. */
export interface LoggerUnderTest {
  readonly logger: MetricLogger;
  readonly read: () => readonly LoggedStep[] | Promise<readonly LoggedStep[]>;
}

/** What `loggerChecks` takes. */
export interface LoggerSubject {
  readonly create: () => LoggerUnderTest | Promise<LoggerUnderTest>;
  /** Largest relative error of a value that is read back; default 0. */
  readonly precision?: number;
  /** The number that the logger stores for a value, such as `Math.fround` for float32; default: the value itself. */
  readonly stored?: (value: number) => number;
}

/** What the checks need of a tensor. Tensors of tfjs have it. */
export interface TestedTensor {
  readonly shape: readonly number[];
  data(): Promise<ArrayLike<number>>;
  dispose(): void;
}

/**
 * A model with a `forward` of its own. A `CausalLanguageModel` of `@rarefy/lm` has all members but `tensor` and `gradientNorms`.
 */
export interface ForwardModelUnderTest<Tensor extends TestedTensor> {
  /**
   * Ids and mask are [batch, T]; the mask is 1 for real tokens and 0 for padding, on either side. Returns logits [batch, T,
   * vocabulary] and hidden states [batch, T, hidden] after the final norm.
   */
  forward(ids: Tensor, mask: Tensor): { readonly logits: TestedTensor; readonly hiddenStates: TestedTensor };
  readonly head: {
    /** [vocabulary, hidden]. */
    readonly weight: TestedTensor;
    /** [vocabulary]. */
    readonly bias?: TestedTensor;
    /** Factor of the logits, before the cap; default 1. */
    readonly scale?: number;
    /** If set, logits are softCap * tanh(x / softCap). */
    readonly softCap?: number;
  };
  /** Makes an int32 tensor [batch, T]: `(rows) => tf.tensor2d(rows, undefined, 'int32')`. */
  tensor(rows: readonly (readonly number[])[]): Tensor;
  /** Weights to train, by name. Leave out those that cannot change the outputs, and frozen ones. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /**
   * The norm of the gradient of any loss of the logits, such as their mean square over the real tokens, by parameter name.
   * Parameters without a gradient may be missing.
   */
  gradientNorms?(
    ids: Tensor,
    mask: Tensor,
  ): Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;
}

/** What `forwardModelChecks` takes. The model accepts rows of 5 tokens. */
export interface ForwardModelSubject<Tensor extends TestedTensor = TestedTensor> {
  /** May return the same model at every call. */
  readonly create: () => ForwardModelUnderTest<Tensor> | Promise<ForwardModelUnderTest<Tensor>>;
  /** Largest difference between equal outputs, relative to the largest number of an output; default 1e-4. */
  readonly tolerance?: number;
}
