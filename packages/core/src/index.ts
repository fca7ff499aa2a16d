export { CorruptFileError } from './errors/corrupt-file-error.js';
export { InputError } from './errors/input-error.js';
export { InvalidArgumentError } from './errors/invalid-argument-error.js';
export { InvalidWeightsError } from './errors/invalid-weights-error.js';
export { LockedError } from './errors/locked-error.js';
export { MissingDependencyError } from './errors/missing-dependency-error.js';
export { NotFiniteError } from './errors/not-finite-error.js';
export { NotFittedError } from './errors/not-fitted-error.js';
export { RarefyError } from './errors/rarefy-error.js';
export { ShapeError } from './errors/shape-error.js';
export { StateMismatchError } from './errors/state-mismatch-error.js';
export { TrainingError } from './errors/training-error.js';
export { type ImportPeerOptions, importPeer } from './load/import-peer.js';
export { type CounterRandom, counterRandom } from './random/counter-random.js';
export { digest } from './random/digest.js';
export { collect } from './run/collect.js';
export { embed } from './run/embed.js';
export { type EmbeddedPart, type EmbedOptions, embedStream } from './run/embed-stream.js';
export { iterate } from './run/iterate.js';
export { selfJoin } from './run/self-join.js';
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
export type { Matrix } from './spec/matrix.js';
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
export type { Weighting } from './spec/weighting.js';
