/**
 * The interfaces of Rarefy, and the functions that run any implementation of them. No dependencies; runs in browsers.
 *
 * - A component is a plain object with one narrow method that implementers write: `embedBatch`, `fit`, `draw`, `project`, `export`.
 *   Users call a wide function such as {@link embed} or {@link selfJoin}, which splits, orders, checks, reports and aborts.
 * - Arrays are flat and typed: a {@link Matrix} is row-major and contiguous. A returned buffer belongs to the caller.
 * - Long calls take {@link CallOptions}: `signal` aborts them, `onEvent` receives their progress.
 * - Random numbers are addressed by index ({@link counterRandom}), so every stream can be split and resumed.
 * - Every error is a {@link RarefyError} with a stable `code`.
 */
export { decodeBase64, encodeBase64 } from './base64.js';
export {
  atPositions,
  checkComponent,
  checkEmbedder,
  checkItemArray,
  checkItemList,
  checkItems,
  described,
  itemOfError,
} from './check-items.js';
export { callOptionNames, checkOptions, nearestName } from './check-options.js';
export {
  checkFinite,
  checkInteger,
  checkMatrix,
  checkNumber,
  checkSeed,
  checkShape,
  checkWeighting,
  firstNotFinite,
  notFiniteAt,
  shown,
} from './checks.js';
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
export { type ImportedPeers, type ImportPeerOptions, importPeer, importPeers } from './import-peer.js';
export { matrix } from './matrix.js';
export { type CounterRandom, counterRandom } from './random/counter-random.js';
export { digest } from './random/digest.js';
export { collect, type EmbeddedPart, type EmbedOptions, embed, embedStream } from './run/embed.js';
export {
  type EmbedderFromOptions,
  embedderFrom,
  type RowsOfItems,
  type RowsWithTruncation,
} from './run/embedder-from.js';
export { inParallel } from './run/in-parallel.js';
export { iterableSampler, iterate } from './run/iterate.js';
export {
  BadAnswer,
  checkServiceLimits,
  type JsonRequest,
  type JsonService,
  postJson,
  serviceAddress,
} from './run/post-json.js';
export {
  type Progress,
  startProgress,
  type Tick,
  type TimeSlices,
  timeSlices,
  warn,
  withProgress,
} from './run/progress.js';
export { type RateMeter, rateMeter } from './run/rate-meter.js';
export { selfJoin } from './run/self-join.js';
export { retryDelay, sleep } from './run/wait.js';
export type { CallOptions, Component, Stateful, WorkEvent } from './spec/component.js';
export type { DensityCapabilities, DensityEstimator, Weighting, WeightTransform } from './spec/density.js';
export type {
  DistanceError,
  EmbeddedRows,
  Embedder,
  EmbedderCapabilities,
  EmbedResult,
  TokenCountingEmbedder,
} from './spec/embedder.js';
export type { Column, EmbeddingView, Exporter, ExporterCapabilities } from './spec/exporter.js';
export type { Matrix, RowSource } from './spec/matrix.js';
export type {
  IndexCapabilities,
  MeasuredRecall,
  Metric,
  NeighborIndex,
  Neighbors,
  SearchOptions,
} from './spec/neighbor-index.js';
export type { ProjectOptions, Projector, ProjectorCapabilities } from './spec/projector.js';
export type {
  Draws,
  Feedback,
  IterableSampler,
  Sampler,
  SamplerCapabilities,
  SamplerState,
  WeightUpdate,
} from './spec/sampler.js';
export type { LoadedBatch, Loader, MetricLogger } from './spec/training.js';
export { visibleText } from './visible-text.js';
