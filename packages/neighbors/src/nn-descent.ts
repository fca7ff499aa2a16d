export { type NnDescentOptions, nnDescent } from './nn-descent/nn-descent.js';
export { type NnDescentIndexOptions, nnDescentIndex } from './nn-descent/nn-descent-index.js';
