export { type FaissIndexOptions, faissIndex } from './faiss/faiss-index.js';
export type { Faiss, FaissStore } from './faiss/faiss-library.js';
