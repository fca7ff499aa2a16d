import { command } from '../shell/command.js';

export const modelsPath = command({
  description: 'Print the folder of a downloaded model',
  example: 'rarefy models path all-MiniLM-L6-v2',
  argument: 'name',
  options: {
    name: { type: 'text', valueHint: 'name', required: true, description: 'Name, as given to rarefy models pull' },
  },
  async run({ name }) {
    const { InputError } = await import('@rarefy/core');
    const { cacheFolder, pulledModelFolder } = await import('@rarefy/data');
    const folder = await pulledModelFolder(name);
    if (folder === undefined) {
      throw new InputError(`${name} is not in ${cacheFolder('models')}; get it with: rarefy models pull ${name}`);
    }
    console.log(folder);
  },
});
