import { InputError } from '@rarefy/core';

/** The part of the module `onnxruntime-node` that is used. */
export interface OnnxRuntime {
  readonly InferenceSession: { create(path: string): Promise<OnnxSession> };
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => OnnxTensor;
}

/** A loaded graph. */
export interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(
    feeds: Readonly<Record<string, OnnxTensor>>,
    fetches: readonly string[],
  ): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

/** Row-major numbers of shape `dims`. */
export interface OnnxTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
  dispose(): void;
}

/** How the states of a text's tokens become one row, by the names of sentence-transformers. */
export const poolings = ['mean', 'cls', 'lasttoken', 'max'] as const;
export type Pooling = (typeof poolings)[number];

/** Last hidden states of one padded run: [rows, T, width], row-major. */
interface HiddenStates {
  readonly data: Float32Array;
  readonly T: number;
  readonly width: number;
}

/** A transformer graph, from token ids to last hidden states. */
interface SentenceGraph {
  /** Runs rows of token ids, padded on the right to the longest: [rows, T] → [rows, T, width]. */
  hiddenStates(rows: readonly (readonly number[])[]): Promise<HiddenStates>;
  release(): Promise<void>;
}

/** Inputs that are filled in; a graph with another input is rejected. */
const knownInputs = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'];
/** Names that exporters give to the last hidden states. */
const knownOutputs = ['last_hidden_state', 'token_embeddings', 'hidden_states'];

/** @throws InputError if the file does not load, or is not a graph from token ids to token states. */
export async function loadSentenceGraph(file: string, runtime: OnnxRuntime): Promise<SentenceGraph> {
  let session: OnnxSession;
  try {
    session = await runtime.InferenceSession.create(file);
  } catch (cause) {
    throw new InputError(`cannot load ${file}: ${(cause as Error).message}. Fetch or export the model again.`, {
      cause,
    });
  }
  const { inputNames, outputNames } = session;
  const output = knownOutputs.find((name) => outputNames.includes(name));
  const foreign = inputNames.filter((name) => !knownInputs.includes(name));
  if (output === undefined || foreign.length > 0 || !inputNames.includes('attention_mask')) {
    await session.release();
    throw new InputError(
      `${file} has the inputs ${inputNames.join(', ')} and the outputs ${outputNames.join(', ')}; give a graph from ${knownInputs.slice(0, 2).join(' and ')} to ${knownOutputs[0]}, exported with the task feature-extraction`,
    );
  }

  return {
    async hiddenStates(rows) {
      const T = Math.max(...rows.map(({ length }) => length));
      const filled = (value: (row: readonly number[], index: number) => number) => {
        const data = new BigInt64Array(rows.length * T);
        rows.forEach((ids, row) => {
          for (let index = 0; index < ids.length; index++) data[row * T + index] = BigInt(value(ids, index));
        });
        return new runtime.Tensor('int64', data, [rows.length, T]);
      };
      const fill: Record<string, () => OnnxTensor> = {
        input_ids: () => filled((ids, index) => ids[index]!),
        attention_mask: () => filled(() => 1),
        token_type_ids: () => filled(() => 0),
        position_ids: () => filled((_, index) => index),
      };
      const feeds = Object.fromEntries(inputNames.map((name) => [name, fill[name]!()]));
      let states: OnnxTensor | undefined;
      try {
        states = (await session.run(feeds, [output]))[output]!;
        const { type, dims, data } = states;
        if (type !== 'float32' || dims.length !== 3 || dims[0] !== rows.length || dims[1] !== T) {
          throw new InputError(
            `${file} returned ${output} as ${type} [${dims}] for [${rows.length}, ${T}] tokens; export it with a float32 output [batch, tokens, width]`,
          );
        }
        return { data: data as Float32Array, T, width: dims[2]! };
      } finally {
        for (const tensor of [...Object.values(feeds), ...(states ? [states] : [])]) tensor.dispose();
      }
    },
    release: () => session.release(),
  };
}

/**
 * Pools the states of one text over its first `tokens` tokens, without padding. Sums are float64.
 * @param row of the text in the run
 * @param tokens number of real tokens of the text, 1 to T
 * @returns [width]
 */
export function poolRow({ data, T, width }: HiddenStates, row: number, tokens: number, pooling: Pooling): Float64Array {
  const start = row * T * width;
  const last = tokens - 1;
  const pooled = new Float64Array(width);
  const first = pooling === 'lasttoken' ? last : 0;
  const end = pooling === 'cls' ? 0 : last;
  pooled.set(data.subarray(start + first * width, start + (first + 1) * width));
  for (let token = first + 1; token <= end; token++) {
    const offset = start + token * width;
    for (let i = 0; i < width; i++) {
      if (pooling === 'max') pooled[i] = Math.max(pooled[i]!, data[offset + i]!);
      else pooled[i]! += data[offset + i]!;
    }
  }
  if (pooling === 'mean') for (let i = 0; i < width; i++) pooled[i]! /= tokens;
  return pooled;
}
