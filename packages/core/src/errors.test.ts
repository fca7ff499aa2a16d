import { beforeAll, expect, test, vi } from 'vitest';
import * as core from './index.js';

type ErrorType = { readonly code: string; readonly name: string; isInstance(error: unknown): boolean };

/** Every exported error class, with one error of it. */
function errorsOf(copy: typeof core): { type: ErrorType; error: core.RarefyError }[] {
  return Object.values(copy)
    .filter(
      (value) =>
        typeof value === 'function' && (value === copy.RarefyError || value.prototype instanceof copy.RarefyError),
    )
    .map((value) => {
      const Type = value as typeof core.RarefyError;
      const error =
        value === copy.MissingDependencyError
          ? new copy.MissingDependencyError('a', 'Install it.', 'a is missing.')
          : new Type('what happened');
      return { type: Type as unknown as ErrorType, error };
    });
}

const own = errorsOf(core);
let other: typeof own;

beforeAll(async () => {
  vi.resetModules();
  const copy = await import('./index.js');
  expect(copy.RarefyError).not.toBe(core.RarefyError);
  other = errorsOf(copy);
});

test('codes are distinct and stable', () => {
  expect(own.map(({ error }) => error.code).sort()).toEqual([
    'RAREFY_CORRUPT_FILE',
    'RAREFY_ERROR',
    'RAREFY_INPUT',
    'RAREFY_INVALID_ARGUMENT',
    'RAREFY_INVALID_WEIGHTS',
    'RAREFY_LOCKED',
    'RAREFY_MISSING_DEPENDENCY',
    'RAREFY_NOT_FINITE',
    'RAREFY_NOT_FITTED',
    'RAREFY_SHAPE',
    'RAREFY_STATE_MISMATCH',
    'RAREFY_TRAINING',
  ]);
  for (const { type, error } of own) expect(error.name).toBe(type.name);
});

test('isInstance is true only for the class and its base, for all pairs, in this copy and in another', () => {
  for (const { type } of own) {
    for (const { error } of [...own, ...other]) {
      const expected = type.code === error.code || type.code === 'RAREFY_ERROR';
      expect(type.isInstance(error), `${type.name}.isInstance(${error.name})`).toBe(expected);
    }
    for (const value of [null, undefined, 'error', {}, new Error('plain')]) expect(type.isInstance(value)).toBe(false);
  }
});

test('a subclass from another package is an instance of its bases and not of their siblings', () => {
  class Family extends core.RarefyError {
    static override readonly code: string = 'OTHER_FAMILY';
  }
  class Special extends Family {
    static override readonly code = 'OTHER_SPECIAL';
  }
  const error = new Special('x', { cause: 7 });
  expect(error).toMatchObject({ name: 'Special', code: 'OTHER_SPECIAL', message: 'x', cause: 7 });
  expect([Special, Family, core.RarefyError].every((type) => type.isInstance(error))).toBe(true);
  expect(core.InputError.isInstance(error)).toBe(false);
  expect(Special.isInstance(new Family('x'))).toBe(false);
  expect(error).toBeInstanceOf(Error);
});
