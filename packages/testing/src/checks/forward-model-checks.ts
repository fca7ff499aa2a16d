import { described } from '@rarefy/core';
import type { Check } from '../check.js';
import { formCheck, formReason } from '../component-checks.js';
import { ensure, ensureClose, ensureFinite, ensureMethods, ensureNoPromise } from '../ensure.js';
import { checkSubject } from '../subject-members.js';
import type { ForwardModelSubject, ForwardModelUnderTest, TestedTensor } from '../subjects.js';

type Rows = readonly (readonly number[])[];

/** The numbers of one forward pass. */
interface Output {
  readonly logits: ArrayLike<number>;
  readonly hidden: ArrayLike<number>;
  readonly vocabulary: number;
  readonly width: number;
}

const lengths = [5, 3, 1, 4]; // tokens per row of the batch that most checks use
const longest = Math.max(...lengths);

/**
 * The checks of a `forward` of your own: `forward(ids, mask) → { logits, hiddenStates }` and its output head, as `fromForwardModel`
 * of `@rarefy/lm` takes them. Numbers are compared within `tolerance` times the largest number of the output. Rows have at most 5
 * tokens.
 */
export function forwardModelChecks<Tensor extends TestedTensor>(subject: ForwardModelSubject<Tensor>): Check[] {
  checkSubject('forward-model', subject);
  const { create, tolerance = 1e-4 } = subject;
  const compare = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) =>
    ensureClose(actual, expected, tolerance * largest(expected), what);

  return [
    {
      name: formCheck,
      why: formReason,
      stopsIfFailed: true,
      async run() {
        const model = await create();
        ensureMethods(model, ['forward'], 'the model');
        ensure(
          typeof model.tensor === 'function',
          `expected the model to have a function tensor that makes an int32 tensor of rows, got ${described(model.tensor)}; with tfjs: (rows) => tf.tensor2d(rows, undefined, 'int32')`,
        );
        ensureMethods(model.head, [], '`head`');
        ensureTensor(model.head.weight, '`head.weight`');
        if (model.head.bias !== undefined) ensureTensor(model.head.bias, '`head.bias`');
        const { ids, mask } = padded(await tokensOf(model), 'right');
        const given = [model.tensor(ids), model.tensor(mask)] as const;
        for (const tensor of given) ensureTensor(tensor, 'the result of tensor');
        const found = model.forward(...given);
        ensureNoPromise(found, 'forward');
        ensureTensor(found.logits, '`logits`');
        ensureTensor(found.hiddenStates, '`hiddenStates`');
        for (const tensor of [...given, found.logits, found.hiddenStates]) tensor.dispose();
      },
    },
    {
      name: 'returns finite logits and hidden states for every token',
      why: 'Training and embedders read the outputs of all tokens. NaN at the padding spreads, because 0 times NaN is NaN.',
      async run() {
        const model = await create();
        const tokens = await tokensOf(model);
        for (const side of ['right', 'left'] as const) {
          const { logits, hidden } = await output(model, padded(tokens, side));
          ensureFinite(logits, `logits with padding on the ${side}`);
          ensureFinite(hidden, `hidden states with padding on the ${side}`);
        }
      },
    },
    {
      name: 'gives real tokens the same outputs with padding on either side',
      why: 'Training pads on the right and generation on the left. Positions must count from the first real token, and padding must not be read.',
      async run() {
        const model = await create();
        const tokens = await tokensOf(model);
        const right = await output(model, padded(tokens, 'right'));
        const left = await output(model, padded(tokens, 'left'));
        const filled = await output(model, padded(tokens, 'left', 1));
        for (const [row, { length }] of tokens.entries()) {
          for (let token = 0; token < length; token++) {
            const where = `of token ${token} of a row with ${length} tokens`;
            const expected = at(right, row * longest + token);
            const shifted = row * longest + longest - length + token;
            compareOutputs(compare, at(left, shifted), expected, `${where}, padded on the left instead of the right`);
            compareOutputs(compare, at(filled, shifted), expected, `${where}, padded with another id`);
          }
        }
      },
    },
    {
      name: 'does not look at later tokens',
      why: 'A model that reads the answer while it is trained to predict it learns nothing, and its loss looks excellent.',
      async run() {
        const model = await create();
        const [first] = await tokensOf(model);
        const before = await output(model, padded([first!], 'right'));
        for (let changed = 1; changed < longest; changed++) {
          const ids = first!.map((id, token) => (token === changed ? (id + 1) % before.vocabulary : id));
          const after = await output(model, padded([ids], 'right'));
          for (let token = 0; token < changed; token++) {
            const what = `of token ${token} after token ${changed} changed`;
            compareOutputs(compare, at(after, token), at(before, token), what);
          }
        }
      },
    },
    {
      name: 'gives a row the same outputs in any batch',
      why: 'The probability of a completion must not depend on the other completions in its batch.',
      async run() {
        const model = await create();
        const tokens = await tokensOf(model);
        const together = await output(model, padded(tokens, 'right'));
        for (const [row, ids] of tokens.entries()) {
          const alone = await output(model, padded([ids], 'right'));
          for (let token = 0; token < ids.length; token++) {
            const what = `of token ${token} of row ${row} in a batch of ${tokens.length}, compared with the row alone`;
            compareOutputs(compare, at(together, row * longest + token), at(alone, token), what);
          }
        }
      },
    },
    {
      name: 'has logits that are its head times its hidden states',
      why: 'Training and embedders multiply hidden states by the head. If `logits` come from other weights, the wrong model is trained.',
      async run() {
        const model = await create();
        const tokens = await tokensOf(model);
        const right = await output(model, padded(tokens, 'right'));
        const weight = await model.head.weight.data();
        const bias = await model.head.bias?.data();
        for (const [row, { length }] of tokens.entries()) {
          for (let token = 0; token < length; token++) {
            const { logits, hidden } = at(right, row * longest + token);
            const expected = headLogits(hidden, weight, bias, model.head);
            compare(
              logits,
              expected,
              `logits of token ${token} of row ${row}, compared with head times hidden states,`,
            );
          }
        }
      },
    },
    {
      name: 'passes gradients to every parameter',
      why: 'A parameter without a gradient stays as it is: the model trains in part, and nothing says so.',
      requires: {
        capability: 'parameters and gradientNorms of the model',
        met: async () => {
          const { parameters, gradientNorms } = await create();
          return parameters !== undefined && gradientNorms !== undefined;
        },
      },
      async run() {
        const model = await create();
        const { ids, mask } = padded(await tokensOf(model), 'right');
        const [idTensor, maskTensor] = [model.tensor(ids), model.tensor(mask)];
        const norms = await model.gradientNorms!(idTensor, maskTensor);
        idTensor.dispose();
        maskTensor.dispose();
        for (const name of Object.keys(model.parameters!)) {
          const norm = norms[name];
          ensure(norm !== undefined, `the parameter "${name}" gets no gradient: the outputs do not depend on it`);
          ensure(
            norm > 0 && norm < Infinity,
            `expected a gradient of "${name}" with a finite norm above 0, got ${norm}`,
          );
        }
      },
    },
  ];
}

function ensureTensor(value: unknown, what: string): void {
  ensureMethods(value, ['data', 'dispose'], what);
  const { shape } = value as TestedTensor;
  ensure(Array.isArray(shape), `expected ${what} to have a shape, got ${described(shape)}`);
}

/** Rows of different ids below the vocabulary size, of these lengths. */
async function tokensOf({ head }: ForwardModelUnderTest<TestedTensor>): Promise<Rows> {
  const [vocabulary] = head.weight.shape;
  ensure(
    vocabulary !== undefined && vocabulary >= 2,
    `expected a head of shape [vocabulary, hidden], got [${head.weight.shape}]`,
  );
  let next = 0;
  return lengths.map((length) => Array.from({ length }, () => (7 * next++ + 1) % vocabulary));
}

/** Ids and mask of a batch, both [batch, longest row]. */
function padded(rows: Rows, side: 'left' | 'right', filler = 0): { readonly ids: Rows; readonly mask: Rows } {
  const width = Math.max(...rows.map(({ length }) => length));
  const pad = (row: readonly number[], value: number) => {
    const padding = Array<number>(width - row.length).fill(value);
    return side === 'left' ? [...padding, ...row] : [...row, ...padding];
  };
  return {
    ids: rows.map((row) => pad(row, filler)),
    mask: rows.map((row) => pad(Array<number>(row.length).fill(1), 0)),
  };
}

/** Runs `forward`, checks the shapes, and frees its tensors. */
async function output<Tensor extends TestedTensor>(
  { forward, head, tensor }: ForwardModelUnderTest<Tensor>,
  batch: { readonly ids: Rows; readonly mask: Rows },
): Promise<Output> {
  const [ids, mask] = [tensor(batch.ids), tensor(batch.mask)];
  const { logits, hiddenStates } = forward(ids, mask);
  const [vocabulary, width] = head.weight.shape as [number, number];
  const size = `${batch.ids.length},${batch.ids[0]!.length}`;
  ensure(
    `${logits.shape}` === `${size},${vocabulary}`,
    `expected logits of shape [${size},${vocabulary}], got [${logits.shape}]`,
  );
  ensure(
    `${hiddenStates.shape}` === `${size},${width}`,
    `expected hidden states of shape [${size},${width}], got [${hiddenStates.shape}]`,
  );
  const numbers = { logits: await logits.data(), hidden: await hiddenStates.data(), vocabulary, width };
  for (const used of [ids, mask, logits, hiddenStates]) used.dispose();
  return numbers;
}

/** The outputs of one token. `index` counts the tokens of the whole batch. */
function at({ logits, hidden, vocabulary, width }: Output, index: number): { logits: number[]; hidden: number[] } {
  const part = (values: ArrayLike<number>, size: number) =>
    Array.from({ length: size }, (_, column) => values[index * size + column]!);
  return { logits: part(logits, vocabulary), hidden: part(hidden, width) };
}

function compareOutputs(
  compare: (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) => void,
  actual: { logits: number[]; hidden: number[] },
  expected: { logits: number[]; hidden: number[] },
  what: string,
): void {
  compare(actual.hidden, expected.hidden, `hidden states ${what}`);
  compare(actual.logits, expected.logits, `logits ${what}`);
}

function headLogits(
  hidden: readonly number[],
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  { scale = 1, softCap }: { readonly scale?: number; readonly softCap?: number },
): number[] {
  return Array.from({ length: weight.length / hidden.length }, (_, token) => {
    const sum = hidden.reduce(
      (sum, value, column) => sum + value * weight[token * hidden.length + column]!,
      bias?.[token] ?? 0,
    );
    const linear = scale * sum;
    return softCap === undefined ? linear : softCap * Math.tanh(linear / softCap);
  });
}

function largest(values: ArrayLike<number>): number {
  return Array.prototype.reduce.call(
    values,
    (most, value) => Math.max(most as number, Math.abs(value as number)),
    0,
  ) as number;
}
