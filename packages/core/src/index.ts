/**
 * The interfaces of Rarefy, and the functions that run any implementation of them. No dependency; runs in browsers.
 *
 * - A component is a plain object with one narrow method that implementers write: `embedBatch`, `fit`, `draw`, `project`, `export`.
 *   Users call a wide function here, such as {@link embed} or {@link selfJoin}, which splits, orders, checks, reports and aborts.
 * - Arrays are flat and typed: a {@link Matrix} is row-major and contiguous. A returned buffer belongs to the caller.
 * - Long work takes {@link CallOptions}: `signal` aborts it, `onEvent` receives its progress.
 * - Randomness is addressed by position ({@link counterRandom}), so every stream can be split and resumed.
 * - Every error is a {@link RarefyError} with a stable `code`.
 */
export { decodeBase64, encodeBase64 } from './bytes/base64.js';
export { checkInteger, checkSeed } from './checks/arguments.js';
export { checkFinite, checkMatrix, checkShape, firstNotFinite, notFiniteAt } from './checks/numbers.js';
export { checkWeighting } from './checks/weightings.js';
export {
  CorruptFileError,
  InputError,
  InvalidArgumentError,
  InvalidWeightsError,
  LockedError,
  MissingDependencyError,
  NotFiniteError,
  NotFittedError,
  RarefyError,
  ShapeError,
  StateMismatchError,
  TrainingError,
} from './errors.js';
export { type ImportPeerOptions, importPeer } from './load/import-peer.js';
export { type CounterRandom, counterRandom } from './random/counter-random.js';
export { digest } from './random/digest.js';
export { collect } from './run/collect.js';
export { embed } from './run/embed.js';
export { type EmbeddedPart, type EmbedOptions, embedStream } from './run/embed-stream.js';
export { iterate } from './run/iterate.js';
export { type Progress, startProgress, type Tick, withProgress } from './run/progress.js';
export { retryDelay } from './run/retry-delay.js';
export { selfJoin } from './run/self-join.js';
export { sleep } from './run/sleep.js';
export { type TimeSlices, timeSlices } from './run/time-slices.js';
export type { Component, Stateful } from './spec/component.js';
export type { DensityCapabilities, DensityEstimator } from './spec/density-estimator.js';
export type {
  DistanceError,
  EmbeddedRows,
  Embedder,
  EmbedderCapabilities,
  EmbedResult,
  TokenCountingEmbedder,
} from './spec/embedder.js';
export type { CallOptions, WorkEvent } from './spec/events.js';
export type { Column, EmbeddingView, Exporter, ExporterCapabilities } from './spec/exporter.js';
export type { LoadedBatch, Loader } from './spec/loader.js';
export type { Matrix } from './spec/matrix.js';
export type { MetricLogger } from './spec/metric-logger.js';
export type {
  IndexCapabilities,
  MeasuredRecall,
  Metric,
  NeighborIndex,
  Neighbors,
  SearchOptions,
} from './spec/neighbor-index.js';
export type { ProjectOptions, Projector, ProjectorCapabilities } from './spec/projector.js';
export type { RowSource } from './spec/row-source.js';
export type { Draws, Feedback, Sampler, SamplerCapabilities, SamplerState, WeightUpdate } from './spec/sampler.js';
export type { Weighting, WeightTransform } from './spec/weighting.js';
