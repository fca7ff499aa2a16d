import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built command. */
export const rarefyBin = fileURLToPath(new URL('../../packages/cli/bin/rarefy.js', import.meta.url));

export interface CommandResult {
  /** Null if a signal ended the process. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the built `rarefy` command; `npm test` builds it before the tests run. */
export function startRarefy(
  args: readonly string[],
  options: { cwd: string; input?: string; env?: Readonly<Record<string, string>> },
): { child: ChildProcess; result: Promise<CommandResult> } {
  const child = spawn(process.execPath, [rarefyBin, ...args], {
    cwd: options.cwd,
    env: { ...process.env, RAREFY_DEBUG: '', ...options.env },
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  child.stdin.on('error', () => {}); // the process may have ended already
  child.stdin.end(options.input ?? '');
  const result = new Promise<CommandResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...texts }));
  });
  return { child, result };
}

/** Runs the built `rarefy` command and waits for it. */
export function rarefy(args: readonly string[], options: { cwd: string; input?: string }): Promise<CommandResult> {
  return startRarefy(args, options).result;
}
