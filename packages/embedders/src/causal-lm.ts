export type { CausalEmbedderOptions } from './causal-lm/causal-embedder.js';
export type { ChatText } from './causal-lm/chat-text.js';
export { type HiddenStateEmbedderOptions, hiddenStateEmbedder } from './causal-lm/hidden-state.js';
export { type LogitsEmbedderOptions, logitsEmbedder } from './causal-lm/logits.js';
