import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';
import { pageAssets } from './src/exporters/page-assets.js';

export default defineConfig({
  ...library(),
  esbuildPlugins: [
    {
      name: 'page-assets',
      setup(build) {
        build.onLoad({ filter: /[\\/]exporters[\\/]page-assets\.ts$/ }, async () => {
          const contents = `const assets = ${JSON.stringify(await pageAssets())};\nexport const pageAssets = async () => assets;\n`;
          return { contents, loader: 'js' };
        });
      },
    },
  ],
});
