import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { wasmBytes, wasmNames } from './src/wasm-assets.js';

export default defineConfig({
  ...library(),
  esbuildPlugins: [
    {
      name: 'wasm-assets',
      setup(build) {
        build.onLoad({ filter: /[\\/]wasm-assets\.ts$/ }, async () => {
          const modules: Record<string, string> = {};
          for (const name of wasmNames) modules[name] = Buffer.from(await wasmBytes(name)).toString('base64');
          const contents = `import { decodeBase64 } from '@rarefy/core';
const modules = ${JSON.stringify(modules)};
export async function wasmBytes(name) {
  return decodeBase64(modules[name]);
}
`;
          return { contents, loader: 'js' };
        });
      },
    },
  ],
});
