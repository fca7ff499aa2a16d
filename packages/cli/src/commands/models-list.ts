import { command } from '../shell/command.js';
import { table } from '../shell/text.js';

export const modelsList = command({
  description: 'List the downloaded models',
  example: 'rarefy models list',
  options: {},
  async run() {
    const { cacheFolder, pulledModels } = await import('@rarefy/data');
    const models = await pulledModels();
    if (models.length === 0) {
      console.log(`no models in ${cacheFolder('models')}; get one with: rarefy models pull all-MiniLM-L6-v2`);
      return;
    }
    const megabytes = (files: readonly { readonly size: number }[]) =>
      (files.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(1);
    const rows = models.map(({ repository, commit, license, files, folder }) => [
      repository,
      commit.slice(0, 12),
      license,
      megabytes(files),
      folder,
    ]);
    console.log(table([['model', 'commit', 'license', 'MB', 'folder'], ...rows]));
  },
});
