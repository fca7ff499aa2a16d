import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { wasmBytes, wasmNames, workerScript } from './src/workers/assets.js';

export default defineConfig({
  ...library(),
  esbuildPlugins: [
    {
      name: 'assets',
      setup(build) {
        build.onLoad({ filter: /[\\/]workers[\\/]assets\.ts$/ }, async () => {
          const modules: Record<string, string> = {};
          for (const name of wasmNames) modules[name] = Buffer.from(await wasmBytes(name)).toString('base64');
          const contents = `import { decodeBase64 } from '@rarefy/core';
const modules = ${JSON.stringify(modules)};
const script = ${JSON.stringify(await workerScript())};
export async function wasmBytes(name) {
  return decodeBase64(modules[name]);
}
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
