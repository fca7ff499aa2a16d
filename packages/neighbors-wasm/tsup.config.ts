import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { wasmBytes, wasmNames } from './src/wasm-bytes.js';

export default defineConfig({
  ...library(['index']),
  esbuildPlugins: [
    {
      name: 'wasm-bytes',
      setup(build) {
        build.onLoad({ filter: /[\\/]wasm-bytes\.ts$/ }, async () => {
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
