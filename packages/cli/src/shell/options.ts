/** Headings of `--help`, in the order in which they are shown. */
export const headings = [
  'Data',
  'Sampling',
  'Density',
  'Model',
  'Completions',
  'Rollouts',
  'Rewards',
  'Loss',
  'Optimizer',
  'Training',
  'Evaluation',
  'Output',
  'Options',
] as const;
export type Heading = (typeof headings)[number];

/** One option of a command. `required` and `default` exclude each other. */
export type OptionDefinition = {
  readonly description: string;
  readonly required?: true;
  /** Heading of `--help`; default Options. */
  readonly heading?: Heading;
} & (
  | { readonly type: 'text'; readonly valueHint: string; readonly default?: string }
  | { readonly type: 'list'; readonly valueHint: string }
  | { readonly type: 'integer' | 'number'; readonly default?: number; readonly min?: number; readonly max?: number }
  | {
      readonly type: 'choice';
      readonly choices: readonly string[];
      readonly default?: string;
      /** Whether the path of a TypeScript or JavaScript file is a value too. */
      readonly orFile?: true;
    }
  | { readonly type: 'flag' }
);

/** Options by their names on the command line, in kebab-case. */
export type OptionDefinitions = Readonly<Record<string, OptionDefinition>>;

/**
 * The values of a command's options by their names in camelCase. A value is undefined if the option was not given and has no
 * default. A list option can be given several times; its value is an array, which may be empty.
 */
export type OptionValues<Definitions extends OptionDefinitions> = {
  readonly [Name in keyof Definitions as CamelCase<Name & string>]: Definitions[Name] extends
    | { readonly required: true }
    | { readonly default: unknown }
    | { readonly type: 'flag' | 'list' }
    ? OptionValue<Definitions[Name]>
    : OptionValue<Definitions[Name]> | undefined;
};

type OptionValue<Definition> = Definition extends { readonly type: 'integer' | 'number' }
  ? number
  : Definition extends { readonly type: 'choice'; readonly choices: readonly (infer Choice)[] }
    ? Choice | (Definition extends { readonly orFile: true } ? CodeFile : never)
    : Definition extends { readonly type: 'flag' }
      ? boolean
      : Definition extends { readonly type: 'list' }
        ? readonly string[]
        : string;

/** The path of a TypeScript or JavaScript file. */
export type CodeFile = `${string}.${'js' | 'mjs' | 'cjs' | 'ts' | 'mts' | 'cts'}`;

/** Whether a value is the path of a TypeScript or JavaScript file, by its extension. */
export function isCodeFile(value: string): value is CodeFile {
  return /[^/\\]\.[cm]?[jt]s$/.test(value);
}

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

export function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The same options, shown below a heading of `--help`. */
export function under<const Definitions extends OptionDefinitions>(
  heading: Heading,
  definitions: Definitions,
): Definitions {
  const entries = Object.entries(definitions).map(([name, definition]) => [name, { ...definition, heading }]);
  return Object.fromEntries(entries) as Definitions;
}

/** Without the entries that are undefined. */
export function defined<Values extends object>(values: Values): { [Name in keyof Values]: NonNullable<Values[Name]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
