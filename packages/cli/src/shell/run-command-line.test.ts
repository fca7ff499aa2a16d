import { InputError, InvalidArgumentError } from '@rarefy/core';
import { defineCommand } from 'citty';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { command } from './command.js';
import { commandHelp } from './help.js';
import { under } from './options.js';
import { runCommandLine } from './run-command-line.js';

const failures: Record<string, () => unknown> = {
  input: () => new InputError('the file\nis \u001b[31modd'),
  argument: () => new InvalidArgumentError('k is odd'),
  bug: () => new TypeError('x is not a function'),
  disposal: () =>
    Object.assign(new Error('An error was suppressed during disposal'), {
      name: 'SuppressedError',
      error: new TypeError('dispose is not a function'),
      suppressed: new InputError('the file is gone'),
    }),
};

/** Called when the command `wait` starts to wait for the signal. */
let onWaiting = () => {};
const root = defineCommand({
  meta: { name: 'rarefy', description: 'A test' },
  subCommands: {
    fail: () =>
      command({
        description: 'Fails',
        example: 'rarefy fail --how input',
        options: {
          how: {
            type: 'choice',
            choices: ['input', 'argument', 'bug', 'disposal'],
            required: true,
            description: 'How',
          },
        },
        run: async ({ how }) => {
          throw failures[how]!();
        },
      }),
    wait: () =>
      command({
        description: 'Waits',
        example: 'rarefy wait',
        options: {},
        run: async (_, { signal }) => {
          const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
          onWaiting();
          await aborted;
          signal.throwIfAborted();
        },
      }),
    group: defineCommand({
      meta: { description: 'A group' },
      subCommands: { ok: command({ description: 'Does nothing', example: '', options: {}, run: async () => {} }) },
    }),
  },
});
const run = (...args: string[]) => runCommandLine(root, args, '1.2.3');

let stdout: string[] = [];
let stderr: unknown[] = [];
beforeEach(() => {
  [stdout, stderr] = [[], []];
  vi.spyOn(console, 'log').mockImplementation((text) => stdout.push(text));
  vi.spyOn(console, 'error').mockImplementation((text) => stderr.push(text));
});
afterEach(() => vi.restoreAllMocks());

test('a failure is one line and an exit code', async () => {
  expect(await run('group', 'ok')).toBe(0);
  expect(stderr).toEqual([]);
  expect(await run('fail', '--how', 'input')).toBe(1);
  expect(await run('fail', '--how', 'argument')).toBe(2);
  expect(await run('fail', '--how', 'bug')).toBe(1);
  expect(await run('fail', '--how', 'disposal')).toBe(1);
  expect(stderr).toEqual([
    'rarefy: the file is  [31modd',
    'rarefy: k is odd',
    'rarefy: unexpected failure: x is not a function. Run again with --debug to see where.',
    'rarefy: the file is gone',
  ]);
});

test('--debug shows the error itself', async () => {
  expect(await run('fail', '--debug', '--how', 'bug')).toBe(1);
  expect(stderr[0]).toBeInstanceOf(TypeError);
  vi.stubEnv('RAREFY_DEBUG', '1');
  await run('fail', '--how', 'input');
  vi.unstubAllEnvs();
  expect(stderr[1]).toBeInstanceOf(InputError);
});

test('wrong usage is reported with exit code 2', async () => {
  expect(await run('fial')).toBe(2);
  expect(await run('group', 'okk')).toBe(2);
  expect(await run('--how')).toBe(2);
  expect(await run('fail', '--hwo', 'x')).toBe(2);
  expect(stderr).toEqual([
    'rarefy: unknown command fial. Did you mean fail? rarefy --help lists them.',
    'rarefy: unknown command group okk. Did you mean ok? rarefy group --help lists them.',
    'rarefy: unknown option --how. rarefy --help lists the commands.',
    'rarefy: unknown option --hwo. Did you mean --how?',
  ]);
  expect(await run()).toBe(2);
  expect(await run('group')).toBe(2);
  expect(stderr.slice(4)).toEqual([
    expect.stringContaining('wait'),
    'rarefy: give a command.',
    expect.any(String),
    'rarefy: give a command.',
  ]);
});

test('help and version', async () => {
  expect([await run('--help'), await run('fail', '--help'), await run('--version')]).toEqual([0, 0, 0]);
  expect(stdout[0]).toContain('A group');
  expect(stdout[1]).toContain('rarefy fail --how input');
  expect(stdout[1]).toContain('--how=<input|argument|bug|disposal>');
  expect(stdout[2]).toBe('1.2.3');
});

test('options are listed under their headings, with long descriptions wrapped', async () => {
  const options = {
    plain: { type: 'flag', description: 'Plain' },
    ...under('Output', { out: { type: 'text', valueHint: 'file', required: true, description: 'Result' } }),
    ...under('Data', {
      file: { type: 'text', valueHint: 'path', required: true, description: 'Input' },
      words: { type: 'list', valueHint: 'word', description: 'many words '.repeat(9).trim() },
      count: { type: 'integer', default: 3, description: 'Number' },
    }),
  } as const;
  const shown = command({
    description: 'Shows',
    example: 'show x --out y',
    argument: 'file',
    options,
    run: async () => {},
  });
  expect(commandHelp('rarefy show', 'Shows', shown)).toBe(`Shows

USAGE rarefy show <file> [OPTIONS] --out=<file>

ARGUMENTS

  <file>                      Input

DATA

  --words=<word>              many words many words many words many words many words many words many
                              words many words many words (Repeatable)
  --count=<integer>           Number (Default: 3)

OUTPUT

  --out=<file>                Result (Required)

OPTIONS

  --plain                     Plain

EXAMPLE

  show x --out y`);
});

test('an argument that is not required can be left out', async () => {
  const got: unknown[] = [];
  const optional = command({
    description: 'Shows',
    example: 'show',
    argument: 'file',
    options: {
      file: { type: 'text', valueHint: 'path', description: 'Input' },
      count: { type: 'integer', default: 3, description: 'Number' },
    },
    run: async ({ file, count }) => void got.push([file, count]),
  });
  const context = { signal: new AbortController().signal, onEvent: () => {} };
  await optional.execute([], context);
  await optional.execute(['--count', '4'], context);
  await optional.execute(['x.ts', '--count', '5'], context);
  expect(got).toEqual([
    [undefined, 3],
    [undefined, 4],
    ['x.ts', 5],
  ]);
  const help = commandHelp('rarefy show', 'Shows', optional);
  expect(help).toContain('USAGE rarefy show [file] [OPTIONS]\n\nARGUMENTS\n\n  [file]                      Input');
});

test('the first Ctrl-C lets the command save its state, the second quits at once', async () => {
  const exit = vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  const waiting = new Promise<void>((resolve) => (onWaiting = resolve));
  const running = run('wait');
  await waiting;
  interrupt();
  expect(exit).not.toHaveBeenCalled();
  expect(interrupt).toThrow('exit 130');
  expect(await running).toBe(130);
  expect(stderr).toEqual(['rarefy: stopping; press Ctrl-C again to quit at once']);
});

/** Calls only the handler of the command line, and not those of the test runner. */
function interrupt(): void {
  (process.listeners('SIGINT').at(-1) as () => void)();
}
