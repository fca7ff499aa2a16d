export { type HnswIndexOptions, hnswIndex } from './hnsw/hnsw-index.js';
export type { Usearch, UsearchStore } from './hnsw/usearch-library.js';
