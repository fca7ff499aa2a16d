import { command } from '../shell/command.js';
import { leadingArgument } from '../shell/leading-argument.js';

const pathByName = command({
  description: 'Tell the folder of a model that was pulled',
  example: 'rarefy models path all-MiniLM-L6-v2',
  options: { name: { type: 'text', valueHint: 'name', required: true, description: 'As given to rarefy models pull' } },
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

export const modelsPath = leadingArgument(pathByName, 'name');
