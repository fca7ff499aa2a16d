import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { pageAssets } from './src/report/page-assets.js';

export default defineConfig({
  ...library(),
  esbuildPlugins: [
    {
      name: 'page-assets',
      setup(build) {
        build.onLoad({ filter: /[\\/]report[\\/]page-assets\.ts$/ }, () => ({
          contents: `const assets = ${JSON.stringify(pageAssets())};\nexport const pageAssets = () => assets;\n`,
          loader: 'js',
        }));
      },
    },
  ],
});
