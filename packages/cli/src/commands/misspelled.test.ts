import { InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import type { Command } from '../shell/command.js';
import type { OptionDefinition } from '../shell/options.js';
import { check } from './check.js';
import { compare } from './compare.js';
import { convert } from './convert.js';
import { demo } from './demo.js';
import { density } from './density.js';
import { doctor } from './doctor.js';
import { download } from './download.js';
import { embed } from './embed.js';
import { modelsList } from './models-list.js';
import { modelsPath } from './models-path.js';
import { modelsPull } from './models-pull.js';
import { prompts } from './prompts.js';
import { sample } from './sample.js';
import { trainBaseCommand } from './train-base.js';
import { trainGrpoCommand } from './train-grpo.js';
import { trainRmCommand } from './train-rm.js';
import { trainSftCommand } from './train-sft.js';
import { view } from './view.js';

const commands: Record<string, Command> = {
  ...{ check, compare, convert, demo, density, doctor, download, embed, modelsList, modelsPath, modelsPull, prompts },
  ...{ sample, trainBaseCommand, trainGrpoCommand, trainRmCommand, trainSftCommand, view },
};

/** Message of a call that is refused before any work. */
async function messageOf({ argument, execute }: Command, ...words: string[]): Promise<string> {
  const failed = execute([...(argument ? ['x'] : []), ...words], { signal: AbortSignal.abort(), onEvent: () => {} });
  const error: unknown = await failed.then(() => undefined).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InvalidArgumentError);
  return (error as Error).message;
}

test.each(Object.entries(commands))('%s suggests the option that a misspelled one is near', async (_, command) => {
  for (const name of Object.keys(command.options)) {
    if (name.length < 4) continue;
    const wrong = `${name.slice(0, 2)}${name[3]}${name[2]}${name.slice(4)}`; // two letters swapped
    if (Object.hasOwn(command.options, wrong)) continue;
    expect(await messageOf(command, `--${wrong}`)).toBe(`unknown option --${wrong}. Did you mean --${name}?`);
  }
  expect(await messageOf(command, '--nothing-like-it')).toBe(
    'unknown option --nothing-like-it. --help lists the options.',
  );
});

test.each(Object.entries(commands))('%s suggests the value that a misspelled one is near', async (_, command) => {
  const required = Object.entries<OptionDefinition>(command.options).filter(
    ([name, option]) => option.required && name !== command.argument,
  );
  for (const [name, option] of Object.entries<OptionDefinition>(command.options)) {
    if (option.type !== 'choice') continue;
    const others = required.flatMap(([other]) => (other === name ? [] : [`--${other}`, '1']));
    for (const choice of option.choices) {
      const message = await messageOf(command, ...others, `--${name}`, `${choice.toUpperCase()}X`);
      expect(message).toMatch(new RegExp(`; got ${choice.toUpperCase()}X\\. Did you mean ${choice}\\?$`));
    }
  }
});
