import { parseArgs } from 'node:util';
import { InvalidArgumentError } from '@rarefy/core';
import { didYouMean } from './did-you-mean.js';
import { camelCase, isCodeFile, type OptionDefinition, type OptionDefinitions, type OptionValues } from './options.js';

export interface ParsedOptions<Definitions extends OptionDefinitions> {
  readonly values: OptionValues<Definitions>;
  /** Names of the options on the command line, in kebab-case. Other values are defaults. */
  readonly given: ReadonlySet<string>;
}

/**
 * Parses the options of a command. If an option is repeated, the last value counts, unless it is a list option. A value can start
 * with a dash if it is a number or follows `=`.
 * @throws InvalidArgumentError for an unknown option, a missing option or value, a value of the wrong type, or another argument.
 */
export function parseOptions<Definitions extends OptionDefinitions>(
  definitions: Definitions,
  rawArguments: readonly string[],
): ParsedOptions<Definitions> {
  const texts = new Map<string, string[]>();
  for (const token of tokens(definitions, rawArguments)) {
    if (token.kind === 'positional')
      throw new InvalidArgumentError(`unexpected argument ${JSON.stringify(token.value)}.`);
    if (token.kind === 'option-terminator') continue;
    const { name, rawName, value, inlineValue } = token;
    const definition = rawName === `--${name}` && Object.hasOwn(definitions, name) ? definitions[name] : undefined;
    if (!definition) {
      const known = Object.keys(definitions).map((option) => `--${option}`);
      throw new InvalidArgumentError(
        `unknown option ${rawName}.${didYouMean(rawName, known) || ' --help lists the options.'}`,
      );
    }
    const takesValue = definition.type !== 'flag';
    if (!takesValue && value !== undefined) throw new InvalidArgumentError(`${rawName} takes no value.`);
    if (takesValue && (!value || (!inlineValue && /^-(?!\d|\.\d|$)/.test(value)))) {
      throw new InvalidArgumentError(`${rawName} needs a value.`);
    }
    texts.set(name, [...(texts.get(name) ?? []), value ?? '']);
  }

  const missing = Object.entries(definitions).filter(([name, { required }]) => required && !texts.has(name));
  if (missing.length > 0) {
    const names = missing.map(([name]) => `--${name}`).join(' and ');
    throw new InvalidArgumentError(`${names} ${missing.length === 1 ? 'is' : 'are'} required.`);
  }
  const values = Object.entries(definitions).map(([name, definition]) => [
    camelCase(name),
    toValue(`--${name}`, definition, texts.get(name)),
  ]);
  return { values: Object.fromEntries(values) as OptionValues<Definitions>, given: new Set(texts.keys()) };
}

function tokens(definitions: OptionDefinitions, rawArguments: readonly string[]) {
  const options = Object.entries(definitions).map(([name, { type }]) => [
    name,
    { type: type === 'flag' ? ('boolean' as const) : ('string' as const) },
  ]);
  return parseArgs({
    args: [...rawArguments],
    options: Object.fromEntries(options),
    strict: false, // the error messages are written here
    tokens: true,
  }).tokens;
}

function toValue(name: string, definition: OptionDefinition, texts: readonly string[] | undefined) {
  if (definition.type === 'list') return texts ?? [];
  const text = texts?.at(-1);
  if (definition.type === 'flag') return text !== undefined;
  if (text === undefined) return definition.default;
  if (definition.type === 'text') return text;
  if (definition.type === 'choice') {
    if (definition.choices.includes(text) || (definition.orFile && isCodeFile(text))) return text;
    const orFile = definition.orFile ? ', or a .ts or .js file' : '';
    throw new InvalidArgumentError(
      `${name} must be one of ${definition.choices.join(', ')}${orFile}; got ${text}.${didYouMean(text, definition.choices)}`,
    );
  }
  const { type, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = definition;
  const value = Number(text);
  const isOfType = type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (isOfType && text.trim() !== '' && value >= min && value <= max) return value;
  const limits = [min > -Infinity ? `at least ${min}` : '', max < Infinity ? `at most ${max}` : ''].filter(Boolean);
  const isShare = type === 'number' && min >= 0 && max === 1;
  const percent =
    isShare && value > 1 && value <= 100 ? ` Did you mean ${value / 100}? It is a share, not a percentage.` : '';
  throw new InvalidArgumentError(
    `${name} must be ${type === 'integer' ? 'an integer' : 'a number'}${limits.length > 0 ? `, ${limits.join(' and ')}` : ''}; got ${text}.${percent}`,
  );
}
