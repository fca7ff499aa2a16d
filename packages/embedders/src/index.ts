/**
 * Embedders turn texts into vectors. This entry holds those that need no library besides Rarefy, and runs in browsers:
 *
 * - {@link hashEmbedder} hashes words, for tests and as a baseline. {@link httpEmbedder} asks a service with OpenAI's API.
 * - {@link embedderFrom} makes an embedder of any function from texts to rows.
 *
 * The others have entries of their own: `./causal-lm` (your tfjs model), `./onnx` (sentence-transformers), `./use` (Universal
 * Sentence Encoder), and `./cached`, which keeps the rows of any embedder on disk.
 */
export { type EmbedderFromOptions, embedderFrom } from '@rarefy/core';
export { type ChatText, chatEmbedder } from './chat-text.js';
export { type HashEmbedderOptions, hashEmbedder } from './hash.js';
export { type HttpEmbedderOptions, httpEmbedder } from './http/http-embedder.js';
