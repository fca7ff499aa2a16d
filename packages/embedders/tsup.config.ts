import { library } from '../../tsup.base.js';

export default library([
  'index',
  'causal-lm/causal-lm',
  'use/universal-sentence-encoder',
  'onnx/onnx-embedder',
  'hash',
  'http/http-embedder',
  'cached/cached-embedder',
]);
