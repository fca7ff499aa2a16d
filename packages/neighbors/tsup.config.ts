import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { compileKernel } from './src/kernels/compile-kernel.js';
import { kernelNames } from './src/kernels/kernel-names.js';

export default defineConfig({
  ...library(['exact', 'faiss', 'hnsw', 'tfjs', 'recall']),
  esbuildPlugins: [
    {
      name: 'kernels',
      setup(build) {
        build.onLoad({ filter: /[\\/]kernels[\\/]assets\.ts$/ }, async () => {
          const texts: Record<string, string> = {};
          for (const name of kernelNames) texts[name] = Buffer.from(await compileKernel(name)).toString('base64');
          const contents = `const kernels = ${JSON.stringify(texts)};
export async function kernelBytes(name) {
  return Uint8Array.from(atob(kernels[name]), (character) => character.charCodeAt(0));
}
`;
          return { contents, loader: 'js' };
        });
      },
    },
  ],
});
