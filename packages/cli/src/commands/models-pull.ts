import { hubOptions } from '../open/hub.js';
import { command } from '../shell/command.js';
import { text } from '../shell/define-option.js';

export const modelsPull = command({
  description: 'Download a model from a Hugging Face hub into the cache',
  example: 'rarefy models pull all-MiniLM-L6-v2',
  argument: 'name',
  options: {
    name: text('name', 'owner/name, or a model of sentence-transformers such as all-MiniLM-L6-v2', { required: true }),
    'onnx-file': text('path', 'ONNX file of a sentence model; default onnx/model.onnx'),
    ...hubOptions,
  },
  async run({ name, onnxFile, endpoint, revision }, context) {
    const { pullModel } = await import('@rarefy/data');
    const pulled = await pullModel(name, { onnxFile, endpoint, revision, ...context });
    const { repository, commit, license, files, folder } = pulled;
    const megabytes = files.reduce((sum, { size }) => sum + size, 0) / 1e6;
    console.log(`${repository} at ${commit}, license ${license}, ${megabytes.toFixed(1)} MB in ${folder}`);
  },
});
