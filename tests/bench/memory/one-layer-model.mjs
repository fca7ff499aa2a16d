import { counterRandom } from '@rarefy/core';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';

const words = 'how do I bake bread where is the garden of a small house near that old river bank'.split(' ');

/** Approximately normal numbers with this standard deviation (sums of 4 uniforms), deterministic in the seed. */
function normals(count, deviation, seed) {
  const random = counterRandom(seed);
  return Float32Array.from({ length: count }, (_, i) => {
    let sum = -2;
    for (let at = 4 * i; at < 4 * i + 4; at++) sum += random.uniform(at);
    return deviation * Math.sqrt(3) * sum;
  });
}

/**
 * A model without layers: a token's hidden state is its row of a table. The head is linear or soft-capped, with any width, so that
 * only the work of the vocabulary remains.
 */
export function oneLayerModel({ vocabulary, hidden, softCap }) {
  const tokenizer = trainBytePairTokenizer([words.join(' ')], { vocabularySize: 300 });
  const table = tf.variable(tf.tensor2d(normals(300 * hidden, 1, 1), [300, hidden]));
  const weight = tf.variable(tf.tensor2d(normals(vocabulary * hidden, hidden ** -0.5, 2), [vocabulary, hidden]));
  const cap = softCap === undefined ? {} : { softCap };
  const model = {
    description: { family: 'custom', vocabularySize: vocabulary, hiddenSize: hidden, maxPositions: 128, ...cap },
    parameters: { table },
    head: { weight, ...cap },
    // Only the tokens of the tokenizer have rows of their own; the others share the last one.
    hiddenStates: (ids) => tf.tidy(() => tf.gather(table, tf.minimum(ids, tf.scalar(299, 'int32')))),
    forward: (ids) =>
      tf.tidy(() => {
        const hiddenStates = model.hiddenStates(ids);
        const rows = model.logits(tf.reshape(hiddenStates, [-1, hidden]));
        return { logits: tf.reshape(rows, [...ids.shape, vocabulary]), hiddenStates };
      }),
    logits: (states) =>
      tf.tidy(() => {
        const linear = tf.matMul(states, weight, false, true);
        return softCap === undefined ? linear : tf.mul(tf.tanh(tf.div(linear, softCap)), softCap);
      }),
  };
  /** Logits of a token, at any position. */
  const logitsOf = async (token) => {
    const row = tf.tidy(() => model.logits(tf.slice(table, [token, 0], [1, hidden])));
    const values = await row.data();
    row.dispose();
    return values;
  };
  return { model, tokenizer, logitsOf };
}

/** Prompts of 8 to 15 words, with a skewed distribution of words. */
export function wordPrompts(count) {
  const random = counterRandom(3);
  return Array.from({ length: count }, (_, row) => {
    const length = 8 + Math.floor(8 * random.uniform(16 * row));
    const word = (at) => words[Math.floor(words.length * random.uniform(16 * row + at) ** 2)];
    return Array.from({ length }, (_, at) => word(at + 1)).join(' ');
  });
}
