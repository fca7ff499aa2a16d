import { spawn } from 'node:child_process';
import { TrainingError } from '@rarefy/core';
import type { RunExperimentOptions } from './run-experiment.js';

export interface ChildProcessOptions {
  /** Program, such as `process.execPath`. */
  readonly command: string;
  /** Its arguments. Each process gets `--only ARM/SEED` after them, and must train that run. */
  readonly args: readonly string[];
  /** Threads of each process; default 1, so that processes do not compete, and results do not depend on the number of cores. */
  readonly threads?: number;
  /** Time that a process has to stop after an abort before it is killed, in milliseconds; default 60,000. */
  readonly graceMs?: number;
}

/** Characters of the error output that an error quotes. */
const quotedCharacters = 2000;

/**
 * Trains each run in a process of its own. An abort sends SIGTERM, upon which the process should save its state, and waits for its
 * end. A process should do the same if its channel disconnects (`process.on('disconnect')`): then this process was killed.
 * @returns a `startRun` of `runExperiment`; it rejects with the end of the error output if the process fails
 */
export function childProcesses({
  command,
  args,
  threads = 1,
  graceMs = 60_000,
}: ChildProcessOptions): NonNullable<RunExperimentOptions['startRun']> {
  const count = String(threads);
  const env = { TF_NUM_INTRAOP_THREADS: count, TF_NUM_INTEROP_THREADS: count, OMP_NUM_THREADS: count };
  return ({ arm, seed }, { signal }) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const child = spawn(command, [...args, '--only', `${arm}/${seed}`], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        detached: true, // Ctrl-C reaches the child only through this process
      });
      let said = '';
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-quotedCharacters);
      });
      let killing: NodeJS.Timeout | undefined;
      const stop = () => {
        child.kill('SIGTERM');
        killing = setTimeout(() => child.kill('SIGKILL'), graceMs);
      };
      const ended = () => {
        clearTimeout(killing);
        signal.removeEventListener('abort', stop);
      };
      signal.addEventListener('abort', stop, { once: true });
      child.once('error', (cause) => {
        ended();
        reject(new TrainingError(`cannot start ${command}: ${cause.message}`, { cause }));
      });
      child.once('close', (code, killedBy) => {
        ended();
        if (code === 0) return resolve();
        if (signal.aborted) return reject(signal.reason);
        const how = killedBy === null ? `exit code ${code}` : killedBy;
        reject(new TrainingError(`its process ended with ${how}${said === '' ? '' : `: ${said.trim()}`}`));
      });
    });
}
