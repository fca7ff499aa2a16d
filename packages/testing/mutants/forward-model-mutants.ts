import { formCheck } from '../src/component-checks.js';
import type { ForwardModelSubject, ForwardModelUnderTest, TestedTensor } from '../src/subjects.js';
import { type ModelParts, meanModel } from './mean-model.js';
import type { Mutant } from './mutant.js';

const eitherSide = 'gives real tokens the same outputs with padding on either side';

/** A subject of any model. The checks make every tensor that they pass to it by the model's own `tensor`. */
export const forwardSubject = (changes: Partial<ModelParts> = {}): ForwardModelSubject => ({
  create: () => meanModel(changes) as unknown as ForwardModelUnderTest<TestedTensor>,
});

const mutant = (name: string, caughtBy: string, changes: Partial<ModelParts>): Mutant<ForwardModelSubject> => ({
  name,
  caughtBy,
  subject: forwardSubject(changes),
});

export const forwardModelMutants: readonly Mutant<ForwardModelSubject>[] = [
  {
    name: 'has no function tensor',
    caughtBy: formCheck,
    subject: {
      create: () => ({ ...meanModel(), tensor: undefined }) as unknown as ForwardModelUnderTest<TestedTensor>,
    },
  },
  mutant('returns NaN for padding on the left', 'returns finite logits and hidden states for every token', {
    readsNothing: Number.NaN,
  }),
  mutant('counts positions from the padding', eitherSide, { positions: (mask) => mask.map((_, index) => index) }),
  mutant('reads padding', eitherSide, { reads: (index, other) => other <= index }),
  mutant('reads every real token', 'does not look at later tokens', { reads: (_, other, mask) => mask[other] === 1 }),
  mutant('depends on the size of its batch', 'gives a row the same outputs in any batch', {
    mixed: (hidden) => hidden.map((row) => row.map((state) => state.map((value) => value - 0.1 * hidden.length))),
  }),
  mutant('has another head than its logits', 'has logits that are its head times its hidden states', {
    outputWeights: (head) => head.map((row, token) => (token === 3 ? row.map((weight) => 1.01 * weight) : row)),
  }),
  mutant('stops the gradient of its context', 'passes gradients to every parameter', {
    gradients: (norms) => ({ ...norms, context: 0 }),
  }),
  mutant('keeps its positions out of the gradient', 'passes gradients to every parameter', {
    gradients: ({ positions: _, ...norms }) => norms,
  }),
];
