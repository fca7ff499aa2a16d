import { decodeBase64 } from '@rarefy/core';
import { wasmModules } from './wasm-assets.js';

/** Functions of the wasm module. Addresses and strides are in bytes; sizes are numbers of elements. */
export interface Kernels {
  product(
    ...args: [
      ...[a: number, aRow: number, aDepth: number, b: number, bDepth: number, bColumn: number],
      ...[out: number, rows: number, columns: number, depth: number, scratch: number],
    ]
  ): void;
  /** Bytes of scratch memory of `product`. */
  productScratch(): number;
  rowStatistics(logits: number, rows: number, words: number, temperature: number, out: number): void;
  logProbabilityGradient(
    ...args: [
      ...[dy: number, logits: number, ids: number, normalizers: number],
      ...[rows: number, words: number, temperature: number, out: number],
    ]
  ): void;
  layerNorm(
    ...args: [
      ...[x: number, weight: number, bias: number, rows: number, width: number, epsilon: number],
      ...[out: number, statistics: number],
    ]
  ): void;
  layerNormGradient(
    ...args: [
      ...[dy: number, x: number, statistics: number, weight: number, rows: number, width: number],
      ...[dx: number, dWeight: number, dBias: number, sums: number],
    ]
  ): void;
  rmsNorm(
    ...args: [
      ...[x: number, weight: number, rows: number, width: number, epsilon: number],
      ...[out: number, inverses: number],
    ]
  ): void;
  rmsNormGradient(
    ...args: [
      ...[dy: number, x: number, inverses: number, weight: number, rows: number, width: number],
      ...[dx: number, dWeight: number, sums: number],
    ]
  ): void;
  rotate(
    ...args: [
      ...[x: number, cos: number, sin: number],
      ...[batch: number, heads: number, length: number, headSize: number, half: number],
      ...[sign: number, out: number],
    ]
  ): void;
  attentionShares(
    ...args: [
      ...[scores: number, bias: number, batch: number, heads: number, length: number, columns: number],
      ...[scale: number, out: number],
    ]
  ): void;
  attentionSharesGradient(
    ...args: [dy: number, shares: number, rows: number, columns: number, scale: number, out: number]
  ): void;
  gate(x: number, size: number, a: number, b: number, out: number): void;
  gateGradient(dy: number, x: number, size: number, a: number, b: number, out: number): void;
  adamW(
    ...args: [
      ...[parameter: number, gradient: number, average: number, square: number],
      ...[next: number, nextAverage: number, nextSquare: number, size: number],
      ...[beta1: number, gain: number, beta2: number, squareGain: number],
      ...[decay: number, epsilon: number, stepSize: number],
    ]
  ): void;
  rowSums(x: number, rows: number, count: number, divisor: number, out: number): void;
  columnSums(x: number, blocks: number, count: number, width: number, divisor: number, out: number): void;
  sumOfSquares(x: number, size: number): number;
  segmentSum(x: number, ids: number, rows: number, width: number, segments: number, out: number): void;
}

/**
 * Compiles the module. The function that it returns puts the kernels on a memory: one that is not shared, as that of the wasm
 * backend of tfjs, or a shared one, as that of its threaded form. Undefined if the engine has no SIMD.
 */
export async function loadKernels(): Promise<((memory: WebAssembly.Memory) => Kernels) | undefined> {
  const { plain, shared } = await wasmModules();
  const bytes = { plain: Uint8Array.from(decodeBase64(plain)), shared: Uint8Array.from(decodeBase64(shared)) };
  if (!WebAssembly.validate(bytes.plain)) return undefined;
  return (memory) => {
    const isShared = typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
    const module = new WebAssembly.Module(isShared ? bytes.shared : bytes.plain);
    return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
  };
}
