// SIMD kernels on the memory of another module, that of the wasm backend of tfjs. This module owns no byte of that memory: its code
// has no constants in memory, no strings, no arrays and no allocations. All addresses and strides are in bytes; matrices are
// row-major and float32. A caller passes scratch memory where a kernel needs it.

export { adamW } from './adamw';
export { attentionShares, attentionSharesGradient } from './attention';
export { gate, gateGradient } from './gates';
export { logProbabilityGradient, rowStatistics } from './log-probabilities';
export { layerNorm, layerNormGradient, rmsNorm, rmsNormGradient } from './norms';
export { product, productScratch } from './products';
export { rotate } from './rotations';
export { segmentSum } from './segments';
export { columnSums, rowSums, sumOfSquares } from './sums';
