import { InvalidArgumentError } from '@rarefy/core';
import type { ArgsDef } from 'citty';
import type { Command } from './command.js';

/** The command with its required option `name` as a first argument that has no name: `rarefy check FILE [options]`. */
export function leadingArgument(command: Command, name: string): Command {
  const { [name]: option, ...options } = command.args as ArgsDef;
  return {
    ...command,
    args: { [name]: { type: 'positional', required: true, description: option!.description }, ...options } as ArgsDef,
    async execute([value, ...rest], context) {
      if (value === undefined || value.startsWith('-')) {
        throw new InvalidArgumentError(`give the ${name} first: ${command.example}`);
      }
      await command.execute([`--${name}=${value}`, ...rest], context);
    },
  };
}
