import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { type WorkerName, wasmBytes, wasmNames, workerFiles, workerScript } from './src/workers/assets.js';

export default defineConfig({
  ...library([
    'auto-index',
    'engines/faiss/faiss-index',
    'engines/tfjs/tfjs-index',
    'exact/exact',
    'graph/hnsw/hnsw-index',
    'graph/nn-descent/nn-descent',
    'recall/measure-recall',
    'rows/equal-rows',
  ]),
  esbuildPlugins: [
    {
      name: 'assets',
      setup(build) {
        build.onLoad({ filter: /[\\/]workers[\\/]assets\.ts$/ }, async () => {
          const modules: Record<string, string> = {};
          const scripts: Record<string, string> = {};
          for (const name of wasmNames) modules[name] = Buffer.from(await wasmBytes(name)).toString('base64');
          for (const name of Object.keys(workerFiles) as WorkerName[]) scripts[name] = await workerScript(name);
          const contents = `import { decodeBase64 } from '@rarefy/core';
const modules = ${JSON.stringify(modules)};
const scripts = ${JSON.stringify(scripts)};
export async function wasmBytes(name) {
  return decodeBase64(modules[name]);
}
export async function workerScript(name) {
  return scripts[name];
}
`;
          return { contents, loader: 'js' };
        });
      },
    },
  ],
});
