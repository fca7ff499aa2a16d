import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { workerScript } from './src/workers/worker-script.js';

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
      name: 'worker-script',
      setup(build) {
        build.onLoad({ filter: /[\\/]workers[\\/]worker-script\.ts$/ }, async () => {
          const contents = `const script = ${JSON.stringify(await workerScript())};
export async function workerScript() {
  return script;
}
`;
          return { contents, loader: 'js' };
        });
      },
    },
  ],
});
