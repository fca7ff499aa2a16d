import { library } from '../../tsup.base.js';

export default library(['causal-lm', 'use', 'onnx', 'hash', 'http', 'cached']);
