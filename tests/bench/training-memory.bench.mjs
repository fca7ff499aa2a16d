import { adamW, chooseBackend, languageModel, lora, padRight, recomputed, tokenLogProbabilities } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';

/** SmolLM2-135M, with random weights. */
const config = {
  model_type: 'llama',
  vocab_size: 49_152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};
const rows = [2, 256];

/** Peak of `tf.memory().numBytes` in one step of training, the weights and the moments of AdamW included. */
export async function bench() {
  const { name: backend } = await chooseBackend();
  const results = [];
  const measure = async (name, wrap) => {
    const model = wrap(randomModel());
    const optimizer = adamW(model.parameters, { learningRate: 1e-4 });
    const started = process.cpuUsage();
    const { peakBytes } = await tf.profile(() => {
      const { value, grads } = tf.variableGrads(() => lossOf(model), Object.values(model.parameters));
      optimizer.step(grads);
      tf.dispose(grads);
      return value;
    });
    const { user, system } = process.cpuUsage(started);
    optimizer.dispose();
    model.dispose();
    tf.disposeVariables();
    const kept = results[0];
    results.push({
      name: `${name}, peak memory of a step (${backend})`,
      value: peakBytes / 1e6,
      unit: 'MB',
      ...(kept && { against: 'all weights trained', ratio: peakBytes / 1e6 / kept.value }),
    });
    results.push({ name: `${name}, work`, value: (user + system) / 1e6, unit: 'cpu s' });
  };
  await measure('all weights trained', (model) => model);
  await measure('all weights trained, recomputed', recomputed);
  await measure('LoRA of rank 16', (model) => lora(model, { rank: 16, seed: 1 }));
  await measure('LoRA of rank 16, recomputed', (model) => recomputed(lora(model, { rank: 16, seed: 1 })));
  return results;
}

function lossOf(model) {
  return tf.tidy(() => {
    const { ids, mask } = padRight(
      Array.from({ length: rows[0] }, (_, row) =>
        Int32Array.from({ length: rows[1] }, (_, at) => (31 * at + 7 * row) % config.vocab_size),
      ),
    );
    const hidden = model.hiddenStates(ids, mask);
    const logits = model.logits(tf.reshape(hidden, [-1, config.hidden_size]));
    return tf.neg(tf.mean(tokenLogProbabilities(logits, tf.reshape(ids, [-1]))));
  });
}

/** Weights that cost little to make. */
function randomModel() {
  const { hidden_size: width, intermediate_size: inner, num_hidden_layers: layers } = config;
  const headSize = width / config.num_attention_heads;
  const shapes = { 'model.embed_tokens.weight': [config.vocab_size, width], 'model.norm.weight': [width] };
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, shape] of Object.entries({
      input_layernorm: [width],
      post_attention_layernorm: [width],
      'self_attn.q_proj': [width, width],
      'self_attn.k_proj': [headSize * config.num_key_value_heads, width],
      'self_attn.v_proj': [headSize * config.num_key_value_heads, width],
      'self_attn.o_proj': [width, width],
      'mlp.gate_proj': [inner, width],
      'mlp.up_proj': [inner, width],
      'mlp.down_proj': [width, inner],
    })) {
      shapes[`model.layers.${layer}.${name}.weight`] = shape;
    }
  }
  let state = 1;
  const weights = Object.entries(shapes).map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let at = 0; at < data.length; at++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      data[at] = shape.length === 1 ? 1 : 0.03 * (state / 2 ** 31);
    }
    return [name, { shape, data }];
  });
  return languageModel(config, new Map(weights));
}
