import { stripVTControlCharacters } from 'node:util';
import { InvalidArgumentError, RarefyError } from '@rarefy/core';
import { type CommandDef, renderUsage } from 'citty';
import type { Command, CommandContext } from './command.js';
import { didYouMean } from './did-you-mean.js';
import { commandHelp } from './help.js';
import { progress } from './progress.js';
import { printable } from './text.js';

/** Exit codes of the process: 1 for a failure, 2 for wrong usage, 130 after Ctrl-C, 143 after SIGTERM. */
const exitCodes = { success: 0, failure: 1, usage: 2, SIGINT: 130, SIGTERM: 143 };

/**
 * Runs one command line and returns the exit code. Writes an error as one line to stderr, with the stack only for `--debug` or
 * RAREFY_DEBUG=1. The first Ctrl-C or SIGTERM aborts the command's signal, so that it saves its state. The second quits at once.
 */
export async function runCommandLine(
  root: CommandDef,
  rawArguments: readonly string[],
  version: string,
): Promise<number> {
  const debug = rawArguments.includes('--debug') || process.env.RAREFY_DEBUG === '1';
  const report = progress();
  const controller = new AbortController();
  let interrupted: number | undefined;
  const interrupt = (signal: 'SIGINT' | 'SIGTERM') => {
    if (controller.signal.aborted) process.exit(exitCodes[signal]);
    interrupted = exitCodes[signal];
    report.stop();
    console.error('rarefy: stopping; press Ctrl-C again to quit at once');
    controller.abort(new DOMException('interrupted', 'AbortError'));
  };
  const listeners = { SIGINT: () => interrupt('SIGINT'), SIGTERM: () => interrupt('SIGTERM') };
  process.on('SIGINT', listeners.SIGINT).on('SIGTERM', listeners.SIGTERM);
  try {
    const given = rawArguments.filter((argument) => argument !== '--debug');
    await dispatch(root, given, version, { signal: controller.signal, onEvent: report });
    return interrupted ?? exitCodes.success;
  } catch (thrown) {
    report.stop();
    const error = firstOf(thrown);
    if (interrupted !== undefined && (error as Error).name === 'AbortError') return interrupted;
    console.error(debug ? error : `rarefy: ${oneLine(error)}`);
    return InvalidArgumentError.isInstance(error) ? exitCodes.usage : exitCodes.failure;
  } finally {
    report.stop();
    process.off('SIGINT', listeners.SIGINT).off('SIGTERM', listeners.SIGTERM);
  }
}

async function dispatch(
  root: CommandDef,
  rawArguments: readonly string[],
  version: string,
  context: CommandContext,
): Promise<void> {
  let current = root;
  const path: string[] = ['rarefy'];
  let rest = [...rawArguments];
  while (rest[0] !== undefined && !rest[0].startsWith('-') && current.subCommands) {
    const [name, ...others] = rest as [string, ...string[]];
    current = await subcommand(current, path, name);
    path.push(name);
    rest = others;
  }
  const usage = async () => {
    const meta = { ...(await resolved(current.meta)), name: path.at(-1)! };
    if (isCommand(current)) return `${commandHelp(path.join(' '), meta.description!, current)}\n`;
    const text = await renderUsage({ ...current, meta }, { meta: { name: path.slice(0, -1).join(' ') } });
    return stripVTControlCharacters(text).replace(/ +$/gm, '');
  };
  const beforeTerminator = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (beforeTerminator.some((argument) => argument === '--help' || argument === '-h')) {
    console.log(await usage());
  } else if (current === root && (rest[0] === '--version' || rest[0] === '-v')) {
    console.log(version);
  } else if (isCommand(current)) {
    await current.execute(rest, context);
  } else if (rest[0] !== undefined) {
    throw new InvalidArgumentError(
      `unknown option ${rest[0]}.${didYouMean(rest[0], ['--help', ...(current === root ? ['--version'] : [])])} ${path.join(' ')} --help lists the commands.`,
    );
  } else {
    console.error(await usage());
    throw new InvalidArgumentError('give a command.');
  }
}

async function subcommand(parent: CommandDef, path: readonly string[], name: string): Promise<CommandDef> {
  const subcommands = (await resolved(parent.subCommands)) ?? {};
  if (Object.hasOwn(subcommands, name)) return (await resolved(subcommands[name]))!;
  throw new InvalidArgumentError(
    `unknown command ${[...path.slice(1), name].join(' ')}.${didYouMean(name, Object.keys(subcommands))} ${path.join(' ')} --help lists them.`,
  );
}

/** Resolves what citty calls resolvable: a value, a promise, or a function that returns either. */
async function resolved<Value>(resolvable: Value | Promise<Value> | (() => Value | Promise<Value>)): Promise<Value> {
  return typeof resolvable === 'function' ? await (resolvable as () => Value | Promise<Value>)() : await resolvable;
}

function isCommand(definition: CommandDef): definition is Command {
  return 'execute' in definition;
}

/** The first error, if another one was thrown while something was disposed because of it. */
function firstOf(thrown: unknown): unknown {
  const { name, suppressed } = Object(thrown) as { name?: unknown; suppressed?: unknown };
  return name === 'SuppressedError' ? firstOf(suppressed) : thrown;
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const isExpected =
    RarefyError.isInstance(error) || (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
  const text = isExpected ? message : `unexpected failure: ${message}. Run again with --debug to see where.`;
  return printable(text);
}
