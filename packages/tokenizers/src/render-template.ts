import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { InputError } from '@rarefy/core';

/** Expressions and statements that one rendering may evaluate. A turn of a real template takes about 50. */
const maxSteps = 1_000_000;
/** Characters and list entries that one value of a template may hold, counted with everything inside it. */
const maxSize = 2 ** 24;
/** Characters of a template. */
const maxSource = 2 ** 20;
/** Entries of one `range`. */
const maxRange = 10_000;

/** Renders a template with these variables. @throws InputError if the template fails or does not end. */
export type TemplateRenderer = (variables: Readonly<Record<string, unknown>>) => string;

/**
 * Compiles a Jinja chat template, as transformers does: `trim_blocks` and `lstrip_blocks`, with `raise_exception`,
 * `strftime_now` and `range`. A template is untrusted text. It reaches only its variables and these functions, no object of
 * JavaScript, and its steps and the size of its values are bounded.
 * @param date what `strftime_now` formats, in UTC and English
 * @throws InputError if the template is too long or has a syntax error.
 */
export function compileTemplate(source: string, date: Date): TemplateRenderer {
  if (source.length > maxSource) {
    throw new InputError(
      `the chat template has ${source.length} characters, and at most ${maxSource} are read; is it a Jinja template?`,
    );
  }
  const program = failing('has a syntax error', () =>
    parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })),
  );
  return (variables) =>
    failing('failed', () => {
      const environment = new Environment();
      for (const [name, value] of Object.entries({ ...constants, ...functions(date), ...variables })) {
        if (value !== undefined) environment.set(name, value);
      }
      return String(bounded(environment).run(program).value);
    });
}

const constants = { true: true, false: false, none: null, True: true, False: false, None: null };

function functions(date: Date): Readonly<Record<string, (...values: never[]) => unknown>> {
  return {
    raise_exception(message: unknown) {
      throw new Error(String(message));
    },
    strftime_now: (format: unknown) => formatDate(String(format), date),
    range: (start: number, stop?: number, step?: number) => range(start, stop, step),
  };
}

/** A value of a running template: a text, a list or map of values, or something small. */
interface RuntimeValue {
  readonly type: string;
  readonly value: unknown;
}

/** The used part of the library's interpreter, whose own types do not resolve under NodeNext. */
interface TemplateInterpreter {
  run(program: unknown): RuntimeValue;
  evaluate(statement: unknown, scope: unknown): RuntimeValue;
}

/** An interpreter that stops after `maxSteps`, and at a value larger than `maxSize`. */
function bounded(environment: Environment): TemplateInterpreter {
  const interpreter: TemplateInterpreter = new Interpreter(environment);
  const evaluate = interpreter.evaluate.bind(interpreter);
  const sizes = new WeakMap<object, number>();
  let steps = 0;
  interpreter.evaluate = (statement, scope) => {
    if (++steps > maxSteps) throw new Error(`it takes more than ${maxSteps} steps`);
    const result = evaluate(statement, scope);
    if (sizeOf(result, sizes) > maxSize) throw new Error(`a value is larger than ${maxSize}`);
    return result;
  };
  return interpreter;
}

/** The number of characters and entries of a value. Lists and objects cannot change, so each is counted once. */
function sizeOf(value: RuntimeValue, sizes: WeakMap<object, number>): number {
  const content: unknown = value.value;
  if (typeof content === 'string') return content.length;
  if (!Array.isArray(content) && !(content instanceof Map)) return 1;
  const known = sizes.get(value);
  if (known !== undefined) return known;
  let size = 1;
  for (const inner of content.values() as Iterable<RuntimeValue>) {
    // A namespace can change, so a size that was counted with it would not stay true.
    if (inner.type === 'NamespaceValue') throw new Error('a namespace is inside another value');
    size += 1 + sizeOf(inner, sizes);
  }
  if (value.type !== 'NamespaceValue') sizes.set(value, size);
  return size;
}

function range(first: number, second: number | undefined, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (![start, stop, step].every(Number.isSafeInteger) || step === 0) {
    throw new Error('range takes integers, and a step other than 0');
  }
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > maxRange) throw new Error(`range has more than ${maxRange} entries`);
  return Array.from({ length }, (_, index) => start + index * step);
}

const monthNames = 'January February March April May June July August September October November December'.split(' ');
const dayNames = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/** Python's `strftime` for the directives that templates use. */
function formatDate(format: string, date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const month = monthNames[date.getUTCMonth()]!;
  const day = dayNames[date.getUTCDay()]!;
  const directives: Readonly<Record<string, string>> = {
    '%Y': String(date.getUTCFullYear()),
    '%y': two(date.getUTCFullYear() % 100),
    '%m': two(date.getUTCMonth() + 1),
    '%d': two(date.getUTCDate()),
    '%B': month,
    '%b': month.slice(0, 3),
    '%A': day,
    '%a': day.slice(0, 3),
    '%H': two(date.getUTCHours()),
    '%M': two(date.getUTCMinutes()),
    '%S': two(date.getUTCSeconds()),
    '%%': '%',
  };
  return format.replace(/%./g, (directive) => directives[directive] ?? directive);
}

/** Runs a part of the work on a template. @throws InputError with what went wrong. */
function failing<Value>(what: string, work: () => Value): Value {
  try {
    return work();
  } catch (cause) {
    throw new InputError(`the chat template ${what}: ${(cause as Error).message}`, { cause });
  }
}
