import { command } from '../shell/command.js';
import { text } from '../shell/define-option.js';

export const modelsPath = command({
  description: 'Print the folder of a downloaded model',
  example: 'rarefy models path all-MiniLM-L6-v2',
  argument: 'name',
  options: {
    name: text('name', 'Name, as given to rarefy models pull', { required: true }),
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
