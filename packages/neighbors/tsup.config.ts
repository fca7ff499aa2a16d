import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { bundleWorker } from './src/kernels/bundle-worker.js';
import { compileKernel } from './src/kernels/compile-kernel.js';
import { kernelNames, type WorkerName, workerFiles } from './src/kernels/kernel-names.js';

export default defineConfig({
  ...library(['exact', 'faiss', 'hnsw', 'tfjs', 'recall', 'nn-descent', 'auto']),
  esbuildPlugins: [
    {
      name: 'kernels',
      setup(build) {
        build.onLoad({ filter: /[\\/]kernels[\\/]assets\.ts$/ }, async () => {
          const kernels: Record<string, string> = {};
          const workers: Record<string, string> = {};
          for (const name of kernelNames) kernels[name] = Buffer.from(await compileKernel(name)).toString('base64');
          for (const name of Object.keys(workerFiles) as WorkerName[]) workers[name] = await bundleWorker(name);
          const contents = `const kernels = ${JSON.stringify(kernels)};
const workers = ${JSON.stringify(workers)};
export async function kernelBytes(name) {
  return Uint8Array.from(atob(kernels[name]), (character) => character.charCodeAt(0));
}
export async function workerScript(name) {
  return workers[name];
}
`;
          return { contents, loader: 'js' };
        });
      },
    },
  ],
});
