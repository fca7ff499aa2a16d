import * as tf from '@tensorflow/tfjs-core';
import { type SimdKernels, simdKernels } from './simd-kernels.js';
import { addressOf, replaceKernel, sizeOf, type WasmBackend } from './wasm-heap.js';

/** Ops that the wasm backend computes with one kernel; elsewhere the caller composes them of tfjs ops. */
interface FusedOps {
  /** x [..., width], weight and bias [width] → result as x, and mean and inverse deviation of each row [rows, 2]. */
  LayerNorm: { inputs: 'x' | 'weight' | 'bias'; attrs: { epsilon: number } };
  /** → gradients of x, weight and bias. */
  LayerNormGradient: { inputs: 'dy' | 'x' | 'statistics' | 'weight'; attrs: object };
  /** x [..., width], weight [width] or none → result as x, and inverse root mean square of each row [rows, 1]. */
  RmsNorm: { inputs: 'x'; optional: 'weight'; attrs: { epsilon: number } };
  /** → gradients of x and, if there is one, of weight. */
  RmsNormGradient: { inputs: 'dy' | 'x' | 'inverses'; optional: 'weight'; attrs: object };
  /** x [batch, heads, T, headSize], cos and sin [batch, 1, T, half], sign 1 or -1 → the rotated heads. */
  Rotate: { inputs: 'x' | 'cos' | 'sin'; attrs: { sign: 1 | -1 } };
  /** softmax(scores · scale + bias): scores [batch, heads, T, S], bias [batch, 1, T, S]. */
  AttentionShares: { inputs: 'scores' | 'bias'; attrs: { scale: number } };
  /** → gradient of the scores. */
  AttentionSharesGradient: { inputs: 'dy' | 'shares'; attrs: { scale: number } };
  /** x · sigmoid(x · (a + b · x²)). */
  Gate: { inputs: 'x'; attrs: { a: number; b: number } };
  GateGradient: { inputs: 'dy' | 'x'; attrs: { a: number; b: number } };
  /** logits [n, words] → log of the sum of exponentials of logits / temperature [n, 1], and their entropies [n]. */
  LogitStatistics: { inputs: 'logits'; attrs: { temperature: number } };
  /** dy [n], logits [n, words], int32 ids [n], normalizers [n, 1] → gradient of the logits. */
  LogProbabilityGradient: { inputs: 'dy' | 'logits' | 'ids' | 'normalizers'; attrs: { temperature: number } };
  /** → next parameter, average and averageSquare. */
  AdamW: { inputs: 'parameter' | 'gradient' | 'average' | 'averageSquare'; attrs: AdamWFactors };
  /** Sum of squares → scalar. */
  SumOfSquares: { inputs: 'x'; attrs: object };
}

/** What one AdamW step multiplies with: see the plain form in `adamW`. */
export interface AdamWFactors {
  readonly beta1: number;
  readonly gain: number;
  readonly beta2: number;
  readonly squareGain: number;
  readonly decay: number;
  readonly epsilon: number;
  readonly stepSize: number;
}

type FusedName = keyof FusedOps;
type Inputs<Name extends FusedName, Tensor> = Readonly<Record<FusedOps[Name]['inputs'], Tensor>> &
  (FusedOps[Name] extends { optional: infer Optional extends string }
    ? { readonly [Key in Optional]?: Tensor | undefined }
    : unknown);

/** Whether the current backend has the fused kernels, and the inputs have their dtypes: int32 for ids, float32 otherwise. */
export function isFused(inputs: Readonly<Record<string, tf.Tensor | undefined>>): boolean {
  if (tf.getBackend() !== 'wasm' || !simdKernels(tf.backend() as unknown as WasmBackend)) return false;
  return Object.entries(inputs).every(
    ([input, tensor]) => tensor === undefined || tensor.dtype === (input === 'ids' ? 'int32' : 'float32'),
  );
}

/** Results of one fused kernel, or undefined if not {@link isFused}: then the caller takes its plain path. */
export function runFused<Name extends FusedName>(
  name: Name,
  inputs: Inputs<Name, tf.Tensor>,
  attrs: FusedOps[Name]['attrs'],
): tf.Tensor[] | undefined {
  // tfjs takes no undefined inputs
  const given = Object.fromEntries(Object.entries(inputs).filter(([, tensor]) => tensor)) as tf.NamedTensorMap;
  if (!isFused(given)) return undefined;
  return tf.engine().runKernel(`Fused${name}`, given, attrs as unknown as tf.NamedAttrMap) as tf.Tensor[];
}

interface FusedCall<Name extends FusedName> {
  readonly inputs: Inputs<Name, tf.TensorInfo>;
  readonly attrs: FusedOps[Name]['attrs'];
  readonly kernels: SimdKernels;
  readonly wasm: WasmBackend;
  /** A float32 result. */
  make(shape: number[]): tf.TensorInfo;
  /** The address of a tensor. */
  at(tensor: tf.TensorInfo): number;
}

const fusedKernels: { readonly [Name in FusedName]: (call: FusedCall<Name>) => tf.TensorInfo[] } = {
  LayerNorm({ inputs: { x, weight, bias }, attrs: { epsilon }, kernels, make, at }) {
    const width = x.shape.at(-1)!;
    const rows = sizeOf(x.shape.slice(0, -1));
    const [out, statistics] = [make(x.shape), make([rows, 2])];
    kernels.layerNorm(at(x), at(weight), at(bias), rows, width, epsilon, at(out), at(statistics));
    return [out, statistics];
  },

  LayerNormGradient({ inputs: { dy, x, statistics, weight }, kernels, make, at }) {
    const width = x.shape.at(-1)!;
    const [dx, dWeight, dBias] = [make(x.shape), make([width]), make([width])];
    const given = [at(dy), at(x), at(statistics), at(weight)] as const;
    kernels.scratch(16 * width, (sums) =>
      kernels.layerNormGradient(...given, statistics.shape[0]!, width, at(dx), at(dWeight), at(dBias), sums),
    );
    return [dx, dWeight, dBias];
  },

  RmsNorm({ inputs: { x, weight }, attrs: { epsilon }, kernels, make, at }) {
    const width = x.shape.at(-1)!;
    const rows = sizeOf(x.shape.slice(0, -1));
    const [out, inverses] = [make(x.shape), make([rows, 1])];
    kernels.rmsNorm(at(x), weight ? at(weight) : 0, rows, width, epsilon, at(out), at(inverses));
    return [out, inverses];
  },

  RmsNormGradient({ inputs: { dy, x, inverses, weight }, kernels, make, at }) {
    const width = x.shape.at(-1)!;
    const [dx, dWeight] = [make(x.shape), weight && make([width])];
    const given = [at(dy), at(x), at(inverses), weight ? at(weight) : 0] as const;
    kernels.scratch(8 * width, (sums) =>
      kernels.rmsNormGradient(...given, inverses.shape[0]!, width, at(dx), dWeight ? at(dWeight) : 0, sums),
    );
    return dWeight ? [dx, dWeight] : [dx];
  },

  Rotate({ inputs: { x, cos, sin }, attrs: { sign }, kernels, make, at }) {
    const out = make(x.shape);
    const [batch, heads, length, headSize] = x.shape as [number, number, number, number];
    kernels.rotate(at(x), at(cos), at(sin), batch, heads, length, headSize, cos.shape[3]!, sign, at(out));
    return [out];
  },

  AttentionShares({ inputs: { scores, bias }, attrs: { scale }, kernels, make, at }) {
    const out = make(scores.shape);
    const [batch, heads, length, columns] = scores.shape as [number, number, number, number];
    kernels.attentionShares(at(scores), at(bias), batch, heads, length, columns, scale, at(out));
    return [out];
  },

  AttentionSharesGradient({ inputs: { dy, shares }, attrs: { scale }, kernels, make, at }) {
    const out = make(shares.shape);
    const columns = shares.shape.at(-1)!;
    const rows = sizeOf(shares.shape.slice(0, -1));
    kernels.attentionSharesGradient(at(dy), at(shares), rows, columns, scale, at(out));
    return [out];
  },

  Gate({ inputs: { x }, attrs: { a, b }, kernels, make, at }) {
    const out = make(x.shape);
    kernels.gate(at(x), sizeOf(x.shape), a, b, at(out));
    return [out];
  },

  GateGradient({ inputs: { dy, x }, attrs: { a, b }, kernels, make, at }) {
    const out = make(x.shape);
    kernels.gateGradient(at(dy), at(x), sizeOf(x.shape), a, b, at(out));
    return [out];
  },

  LogitStatistics({ inputs: { logits }, attrs: { temperature }, kernels, wasm, make, at }) {
    const [rows, words] = logits.shape as [number, number];
    const [normalizers, entropies] = [make([rows, 1]), make([rows])];
    kernels.scratch(24 * rows, (address) => {
      kernels.rowStatistics(at(logits), rows, words, temperature, address);
      const statistics = new Float64Array(wasm.wasm.HEAPU8.buffer, address, 3 * rows);
      const [logs, spreads] = [wasm.typedArrayFromHeap(normalizers), wasm.typedArrayFromHeap(entropies)];
      for (let row = 0; row < rows; row++) {
        const [top, total, weighted] = statistics.subarray(3 * row) as unknown as [number, number, number];
        logs[row] = Math.log(total) + top;
        spreads[row] = Math.log(total) - weighted / total;
      }
    });
    return [normalizers, entropies];
  },

  LogProbabilityGradient({ inputs: { dy, logits, ids, normalizers }, attrs: { temperature }, kernels, make, at }) {
    const out = make(logits.shape);
    const [rows, words] = logits.shape as [number, number];
    const given = [at(dy), at(logits), at(ids), at(normalizers)] as const;
    kernels.logProbabilityGradient(...given, rows, words, temperature, at(out));
    return [out];
  },

  AdamW({ inputs: { parameter, gradient, average, averageSquare }, attrs, kernels, make, at }) {
    const { beta1, gain, beta2, squareGain, decay, epsilon, stepSize } = attrs;
    const { shape } = parameter;
    // New tensors, not in place: a copy of a variable shares its memory.
    const next = [make(shape), make(shape), make(shape)] as const;
    const given = [at(parameter), at(gradient), at(average), at(averageSquare)] as const;
    const results = [at(next[0]), at(next[1]), at(next[2])] as const;
    const factors = [beta1, gain, beta2, squareGain, decay, epsilon, stepSize] as const;
    kernels.adamW(...given, ...results, sizeOf(shape), ...factors);
    return [...next];
  },

  SumOfSquares({ inputs: { x }, kernels, wasm, make, at }) {
    const out = make([]);
    wasm.typedArrayFromHeap(out)[0] = kernels.sumOfSquares(at(x), sizeOf(x.shape));
    return [out];
  },
};

/** Registers the fused kernels for the wasm backend, under names of their own. */
export function registerFusedKernels(): void {
  for (const [name, kernel] of Object.entries(fusedKernels)) {
    const compute = kernel as (call: FusedCall<FusedName>) => tf.TensorInfo[];
    replaceKernel(`Fused${name}`, ({ inputs, attrs, backend }) => {
      const wasm = backend as WasmBackend;
      return compute({
        inputs: inputs as FusedCall<FusedName>['inputs'],
        attrs: attrs as unknown as FusedCall<FusedName>['attrs'],
        kernels: simdKernels(wasm)!,
        wasm,
        make: (shape) => wasm.makeOutput(shape, 'float32'),
        at: (tensor) => addressOf(wasm, tensor),
      });
    });
  }
}
