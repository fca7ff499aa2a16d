import type { BackendName } from '@rarefy/lm';
import type { OptionDefinitions } from '../shell/options.js';

/** Which model is taken when none is named. */
export const defaultModel = 'default out/sft, out/base, or the small one that comes with rarefy';

const backends = ['node-gpu', 'node', 'wasm', 'cpu'] as const satisfies readonly BackendName[];

/** The tfjs backend of a command that computes with tensors. */
export const backendOption = {
  backend: {
    type: 'choice',
    choices: backends,
    description: 'TensorFlow.js backend; default RAREFY_BACKEND, or the fastest that works',
  },
} as const satisfies OptionDefinitions;

const embedderNames = ['causal-lm', 'logits', 'onnx', 'use', 'http', 'hash'] as const;
export type EmbedderName = (typeof embedderNames)[number];

/** How a command turns texts into vectors. */
export const embedderOptions = {
  embedder: {
    type: 'choice',
    choices: embedderNames,
    description:
      'causal-lm: hidden states; logits: mean logits; onnx: sentence model; use: Universal Sentence Encoder; http: a service; hash: hashed words, no model. Default what --ckpt names; without it onnx when all-MiniLM-L6-v2 is found, else use',
  },
  ckpt: {
    type: 'text',
    valueHint: 'base|sft|grpo|rm|path',
    description: `Sentence-transformers folder of onnx; or language model of causal-lm and logits, ${defaultModel}`,
  },
  pooling: {
    type: 'choice',
    choices: ['mean', 'last', 'max', 'cls'],
    description: 'How tokens become a row; default mean for causal-lm, which lacks cls, and the model’s own for onnx',
  },
  url: {
    type: 'text',
    valueHint: 'url',
    description:
      'Address of the service of http, such as http://localhost:8080/v1; its key is read from RAREFY_API_KEY',
  },
  model: { type: 'text', valueHint: 'name', description: 'Name of the model of http, as the service knows it' },
  cache: { type: 'text', valueHint: 'folder', description: 'Keeps rows there, so that no text is embedded twice' },
  'model-dtype': {
    type: 'choice',
    choices: ['fp32', 'fp16', 'int8', 'uint8', 'q8', 'q4', 'q4f16', 'bnb4'],
    default: 'fp32',
    description: 'Precision of the sentence model of onnx',
  },
  'batch-size': {
    type: 'integer',
    min: 1,
    description: 'Texts embedded at a time; default 32, of onnx 256, of http 64',
  },
  ...backendOption,
} as const satisfies OptionDefinitions;
