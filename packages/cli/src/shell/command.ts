import { InvalidArgumentError, type WorkEvent } from '@rarefy/core';
import type { ArgDef, CommandDef } from 'citty';
import type { OptionDefinition, OptionDefinitions, OptionValues } from './options.js';
import { parseOptions } from './parse-options.js';

/** What a command gets besides its options: the signal of Ctrl-C and the receiver of progress. Both are `CallOptions`. */
export interface CommandContext {
  readonly signal: AbortSignal;
  readonly onEvent: (event: WorkEvent) => void;
}

/** A command of `rarefy`: a citty definition, for lazy loading and help, that parses its own options. */
export interface Command extends CommandDef {
  readonly options: OptionDefinitions;
  /** Name of the option that is given first and without its name, as in `rarefy check FILE`. It can be left out unless required. */
  readonly argument?: string | undefined;
  /** A call that works if its files exist. */
  readonly example: string;
  execute(rawArguments: readonly string[], context: CommandContext): Promise<void>;
}

/**
 * Defines a command. `run` receives checked values, the names of the options that were given and the arguments as they were given,
 * and must honor the signal; an error that it throws becomes the exit code. Import heavy modules inside `run`, so that `--help` stays fast.
 */
export function command<const Definitions extends OptionDefinitions>(definition: {
  readonly description: string;
  readonly example: string;
  readonly argument?: keyof Definitions & string;
  readonly options: Definitions;
  readonly run: (
    values: OptionValues<Definitions>,
    context: CommandContext,
    given: ReadonlySet<string>,
    rawArguments: readonly string[],
  ) => Promise<void>;
}): Command {
  const { description, example, argument, options, run } = definition;
  const args = Object.entries(options).map(([name, option]) => [name, cittyArgument(option, name === argument)]);
  return {
    meta: { description },
    args: Object.fromEntries(args),
    options,
    argument,
    example,
    async execute(rawArguments, context) {
      const isLeftOut = argument === undefined || (!options[argument]!.required && !hasArgument(rawArguments));
      const { values, given } = parseOptions(
        options,
        isLeftOut ? rawArguments : named(argument, rawArguments, example),
      );
      await run(values, context, given, rawArguments);
    },
  };
}

function hasArgument([value]: readonly string[]): boolean {
  return value !== undefined && !value.startsWith('-');
}

/** The arguments with the name of the first one added. */
function named(argument: string, rawArguments: readonly string[], example: string): string[] {
  if (!hasArgument(rawArguments)) throw new InvalidArgumentError(`give the ${argument} first: ${example}`);
  return [`--${argument}=${rawArguments[0]}`, ...rawArguments.slice(1)];
}

function cittyArgument(option: OptionDefinition, isPositional: boolean): ArgDef {
  const { description, required = false } = option;
  if (isPositional) return { type: 'positional', required, description };
  if (option.type === 'flag') return { type: 'boolean', description };
  if (option.type === 'choice') return { type: 'enum', options: [...option.choices], description, required };
  return { type: 'string', description, required };
}
