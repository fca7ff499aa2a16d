import { counterRandom } from '@rarefy/core';
import type { ForwardModelUnderTest, TestedTensor } from '../src/subjects.js';

/** A tensor of nested rows, in plain numbers. */
interface PlainTensor extends TestedTensor {
  readonly values: readonly number[];
}

/** What a mutant replaces in the model. */
export interface ModelParts {
  /** Position of each token of a row, from its mask. */
  readonly positions: (mask: readonly number[]) => number[];
  /** Whether token `index` reads token `other`. */
  readonly reads: (index: number, other: number, mask: readonly number[]) => boolean;
  /** Divisor of the mean of no tokens: padding on the left reads none. */
  readonly readsNothing: number;
  /** Changes the hidden states of a batch: one list of tokens per row. */
  readonly mixed: (hidden: number[][][]) => number[][][];
  /** Weights of the logits that `forward` returns. */
  readonly outputWeights: (head: number[][]) => number[][];
  /** Norms of the gradients, from the correct ones. */
  readonly gradients: (norms: Record<string, number>) => Record<string, number>;
  readonly bias: boolean;
}

const [vocabulary, width, mostTokens] = [11, 4, 8];

/** A small causal model: a token reads the mean of the tokens up to it, plus its position. Gradients are by finite differences. */
export function meanModel(changes: Partial<ModelParts> = {}): ForwardModelUnderTest<PlainTensor> {
  const parts: ModelParts = {
    positions: (mask) => mask.map((_, index) => sum(mask.slice(0, index))),
    reads: (index, other, mask) => other <= index && mask[other] === 1,
    readsNothing: 1,
    mixed: (hidden) => hidden,
    outputWeights: (weights) => weights,
    gradients: (norms) => norms,
    bias: true,
    ...changes,
  };
  const random = counterRandom(5);
  let drawn = 0;
  const table = (rows: number, cols: number) =>
    Array.from({ length: rows }, () => Array.from({ length: cols }, () => random.uniform(drawn++) - 0.5));
  const parameters = {
    tokens: table(vocabulary, width),
    positions: table(mostTokens, width),
    context: table(width, width),
    head: table(vocabulary, width),
    ...(parts.bias && { bias: table(1, vocabulary) }),
  };

  const bias = parameters.bias?.[0] ?? Array<number>(vocabulary).fill(0);

  const compute = (ids: readonly number[][], masks: readonly number[][]) => {
    const hidden = ids.map((row, index) => {
      const mask = masks[index]!;
      const positions = parts.positions(mask);
      return row.map((id, token) => {
        const read = row.filter((_, other) => parts.reads(token, other, mask)).map((read) => parameters.tokens[read]!);
        const mean = columns(
          (column) => sum(read.map((vector) => vector[column]!)) / (read.length || parts.readsNothing),
        );
        return columns((column) =>
          Math.tanh(
            parameters.tokens[id]![column]! +
              parameters.positions[positions[token]!]![column]! +
              sum(mean.map((value, from) => value * parameters.context[from]![column]!)),
          ),
        );
      });
    });
    const weights = parts.outputWeights(parameters.head);
    const logitsOf = (state: number[]) =>
      weights.map((row, token) => sum(row.map((weight, column) => weight * state[column]!)) + bias[token]!);
    const states = parts.mixed(hidden);
    return { hidden: states, logits: states.map((row) => row.map(logitsOf)) };
  };

  return {
    forward(ids, mask) {
      const { hidden, logits } = compute(rowsOf(ids), rowsOf(mask));
      const shape = (size: number) => [...ids.shape, size];
      return { logits: plain(logits.flat(2), shape(vocabulary)), hiddenStates: plain(hidden.flat(2), shape(width)) };
    },
    head: {
      weight: plain(parameters.head.flat(), [vocabulary, width]),
      ...(parameters.bias && { bias: plain(parameters.bias.flat(), [vocabulary]) }),
    },
    tensor: (rows) => plain(rows.flat(), [rows.length, rows[0]!.length]),
    parameters,
    gradientNorms(ids, mask) {
      const loss = () =>
        sum(
          compute(rowsOf(ids), rowsOf(mask))
            .logits.flat(2)
            .map((logit) => logit ** 2),
        );
      const norm = (weights: number[][]) => {
        const slopes = weights.flatMap((row) =>
          row.map((weight, column) => {
            const [low, high] = [-1e-4, 1e-4].map((step) => {
              row[column] = weight + step;
              return loss();
            });
            row[column] = weight;
            return (high! - low!) / 2e-4;
          }),
        );
        return Math.hypot(...slopes);
      };
      return parts.gradients(
        Object.fromEntries(Object.entries(parameters).map(([name, weights]) => [name, norm(weights)])),
      );
    },
  };
}

function plain(values: readonly number[], shape: readonly number[]): PlainTensor {
  return { shape, values, data: async () => values, dispose() {} };
}

function rowsOf({ values, shape }: PlainTensor): number[][] {
  return Array.from({ length: shape[0]! }, (_, row) => values.slice(row * shape[1]!, (row + 1) * shape[1]!));
}

function columns(value: (column: number) => number): number[] {
  return Array.from({ length: width }, (_, column) => value(column));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
