export { type AutoIndexOptions, autoIndex, mostExactRows } from './auto/auto-index.js';
