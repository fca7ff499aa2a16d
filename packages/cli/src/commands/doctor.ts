import { execFile } from 'node:child_process';
import { command } from '../shell/command.js';
import { choice, flag } from '../shell/define-option.js';
import { table } from '../shell/text.js';

const names = ['node-gpu', 'node', 'wasm', 'cpu', 'use', 'onnx', 'neighbors-native', 'hnsw', 'faiss'] as const;

interface Finding {
  readonly purpose: string;
  readonly library: string;
  readonly works: boolean;
  readonly detail: string;
}

export const doctor = command({
  description: 'List the optional libraries, whether each one works, and how to fix it',
  example: 'rarefy doctor',
  options: {
    only: choice(names, 'Try only this library, in this process'),
    json: flag('Print one JSON object per library'),
  },
  async run({ only, json }, { signal }) {
    const { RarefyError } = await import('@rarefy/core');
    const findings: Finding[] = [];
    for (const name of only ? [only] : names) {
      signal.throwIfAborted();
      findings.push(only ? await examine(name) : await examineInProcess(name, signal));
    }
    if (json) {
      for (const finding of findings) console.log(JSON.stringify(finding));
      return;
    }
    const state = (works: boolean) => (works ? 'works' : '-');
    const rows = findings.map(({ purpose, library, works, detail }) => [purpose, library, state(works), detail]);
    console.log(table([['for', 'library', '', ''], ...rows]));
    if (!only) {
      const chosen = findings.find(({ purpose, works }) => works && purpose.startsWith('backend'));
      console.log(`\nNode ${process.version}. Default: ${chosen?.purpose ?? 'no backend'}.`);
      if (Number(process.versions.node.split('.')[0]) >= 23) {
        console.log('@tensorflow/tfjs-node 4.22 does not run on Node 23 or later; use Node 20 or 22 for it.');
      }
      if (!chosen) throw new RarefyError('no TensorFlow.js backend works; reinstall @tensorflow/tfjs.');
    }
  },
});

async function examine(name: (typeof names)[number]): Promise<Finding> {
  const { installedVersion } = await import('../open/project-libraries.js');
  const { libraryChecks } = await import('../open/library-checks.js');
  const { packageName, purpose, tryOut } = libraryChecks[name];
  const version = installedVersion(packageName);
  const library = `${packageName}${version === undefined ? '' : ` ${version}`}`;
  try {
    return { purpose, library, works: true, detail: await tryOut() };
  } catch (error) {
    return { purpose, library, works: false, detail: (error as Error).message };
  }
}

/** Tries a library in its own process: if a native library crashes, the others are still tried. */
async function examineInProcess(name: (typeof names)[number], signal: AbortSignal): Promise<Finding> {
  const own = [process.argv[1]!, 'doctor', '--only', name, '--json'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, own, { signal }, (error, stdout) => {
      const line = stdout.split('\n').find((text) => text.startsWith('{'));
      if (line) resolve(JSON.parse(line) as Finding);
      else if (signal.aborted) reject(signal.reason as Error);
      else {
        const ending = error?.signal ? `was killed by ${error.signal}` : `ended with code ${error?.code}`;
        resolve({ purpose: name, library: '', works: false, detail: `the process that tried it ${ending}` });
      }
    });
  });
}
