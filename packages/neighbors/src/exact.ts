export type { ExactEngine, ExactEngineOptions } from './exact/engine.js';
export { type ExactIndexOptions, exactIndex } from './exact/exact-index.js';
export { type ExactNeighbors, type ExactNeighborsOptions, exactNeighbors } from './exact/exact-neighbors.js';
export type { NativeNeighbors } from './exact/native.js';
