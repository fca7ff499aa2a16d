import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { workerScript } from './src/workers/worker-assets.js';

export default defineConfig({
  ...library(),
  esbuildPlugins: [
    {
      name: 'worker-assets',
      setup(build) {
        build.onLoad({ filter: /[\\/]workers[\\/]worker-assets\.ts$/ }, async () => {
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
