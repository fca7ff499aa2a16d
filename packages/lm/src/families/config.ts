import { InputError } from '@rarefy/core';

/** Typed access to the fields of a config.json. Each getter throws InputError naming a field that is missing or of another type. */
export interface ConfigReader {
  readonly modelType: string;
  /** A positive integer. */
  integer(name: string, fallback?: number): number;
  /** A finite number. */
  number(name: string, fallback?: number): number;
  boolean(name: string, fallback: boolean): boolean;
  text(name: string, fallback?: string): string;
  /** The value as it is; undefined if the field is missing. */
  raw(name: string): unknown;
  /** The fields of the file that were not read so far. */
  unread(): readonly [name: string, value: unknown][];
  /** All fields that were read so far, with their values or defaults, as JSON. Equal for configs that make the same model. */
  fieldsRead(): string;
}

/**
 * @param config the parsed config.json
 * @param source its path, for messages
 * @throws InputError if `config` is not an object.
 */
export function configReader(config: unknown, source = 'config.json'): ConfigReader {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new InputError(`${source} must contain a JSON object`);
  }
  const fields = new Map(Object.entries(config));
  const read = new Map<string, unknown>();
  const need = <Value>(
    name: string,
    expected: string,
    fits: (value: unknown) => value is Value,
    fallback?: Value,
  ): Value => {
    const value = fields.get(name) ?? fallback;
    read.set(name, value);
    if (fits(value)) return value;
    throw new InputError(`${source}: '${name}' must be ${expected}, got ${JSON.stringify(value)}`);
  };
  const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
  const isSize = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0;
  return {
    modelType: need('model_type', 'a string', (value) => typeof value === 'string'),
    integer: (name, fallback) => need(name, 'a positive integer', isSize, fallback),
    number: (name, fallback) => need(name, 'a number', isNumber, fallback),
    boolean: (name, fallback) => need(name, 'true or false', (value) => typeof value === 'boolean', fallback),
    text: (name, fallback) => need(name, 'a string', (value) => typeof value === 'string', fallback),
    raw(name) {
      read.set(name, fields.get(name));
      return fields.get(name);
    },
    unread: () => [...fields].filter(([name]) => !read.has(name)),
    fieldsRead: () => JSON.stringify([...read].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
