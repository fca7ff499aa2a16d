import { chooseBackend, languageModel, lora, padRight, recomputed, tokenLogProbabilities } from '@rarefy/lm';
import { adamW } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';

/** The sizes of SmolLM2-135M. */
const small = {
  model_type: 'llama',
  head_dim: 64,
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
/** The sizes of Qwen3-0.6B. */
const large = {
  ...small,
  model_type: 'qwen3',
  head_dim: 128,
  vocab_size: 151_936,
  hidden_size: 1024,
  intermediate_size: 3072,
  num_hidden_layers: 28,
  num_attention_heads: 16,
  num_key_value_heads: 8,
};
const rows = [2, 256];

/** Peak of `tf.memory().numBytes` in one step of training on 2 rows of 256 tokens, weights and moments of AdamW included. */
export async function bench() {
  const { name: backend } = await chooseBackend();
  const results = [];
  const measure = async (config, name, wrap) => {
    const model = wrap(randomModel(config));
    const optimizer = adamW(model.parameters, { learningRate: 1e-4 });
    const started = process.cpuUsage();
    const { peakBytes } = await tf.profile(() => {
      const { value, grads } = tf.variableGrads(() => lossOf(model, config), Object.values(model.parameters));
      optimizer.step(grads);
      tf.dispose(grads);
      return value;
    });
    const { user, system } = process.cpuUsage(started);
    optimizer.dispose();
    model.dispose();
    tf.disposeVariables();
    const first = config === small ? results[0] : undefined;
    results.push({
      name: `${name}, peak memory of a step (${backend})`,
      value: peakBytes / 1e6,
      unit: 'MB',
      ...(first && { against: 'all weights trained', ratio: peakBytes / 1e6 / first.value }),
    });
    results.push({ name: `${name}, work`, value: (user + system) / 1e6, unit: 'cpu s' });
  };
  const adapted = (model) => lora(model, { rank: 16, seed: 1 });
  await measure(small, '135M, all weights trained', (model) => model);
  await measure(small, '135M, all weights trained, recomputed', recomputed);
  await measure(small, '135M, LoRA of rank 16', adapted);
  await measure(small, '135M, LoRA of rank 16, recomputed', (model) => recomputed(adapted(model)));
  await measure(large, '0.6B, LoRA of rank 16, recomputed', (model) => recomputed(adapted(model)));
  return results;
}

function lossOf(model, config) {
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
function randomModel(config) {
  const { hidden_size: width, intermediate_size: inner, num_hidden_layers: layers, head_dim: headSize } = config;
  const [queries, keys] = [config.num_attention_heads * headSize, config.num_key_value_heads * headSize];
  const shapes = { 'model.embed_tokens.weight': [config.vocab_size, width], 'model.norm.weight': [width] };
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, shape] of Object.entries({
      input_layernorm: [width],
      post_attention_layernorm: [width],
      'self_attn.q_proj': [queries, width],
      'self_attn.k_proj': [keys, width],
      'self_attn.v_proj': [keys, width],
      'self_attn.o_proj': [width, queries],
      ...(config.model_type === 'qwen3' && { 'self_attn.q_norm': [headSize], 'self_attn.k_norm': [headSize] }),
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
