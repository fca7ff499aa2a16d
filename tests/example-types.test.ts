import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const examples = join(root, 'examples');
const packages = join(root, 'packages');
const components = join(process.env.RAREFY_COMPONENTS ?? '', 'node_modules');
const compilers: Readonly<Record<string, string>> = {
  'TypeScript 5.4': join(components, 'typescript-5.4'),
  'TypeScript 5.9': join(root, 'node_modules', 'typescript'),
  'the newest TypeScript': join(components, 'typescript-newest'),
};
// Beside the examples, so that their dependencies are found.
const config = join(examples, `tsconfig.${process.pid}.json`);

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
}
/** The files of types that the packages ship, one per entry. */
const declarations = readdirSync(packages).flatMap((name) => {
  const { exports } = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8')) as Manifest;
  return Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [] : [join(packages, name, target.types)],
  );
});

beforeAll(() => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  const names = readdirSync(examples).filter((name) => existsSync(join(examples, name, 'package.json')));
  const compilerOptions = {
    ...{ target: 'ES2022', lib: ['ES2023', 'ESNext.Disposable', 'DOM'] },
    ...{ module: 'NodeNext', moduleResolution: 'NodeNext', strict: true, noEmit: true, types: ['node'] },
    // Types of the packages come from their builds, as in a project of one's own, and are checked too.
    skipLibCheck: false,
  };
  const files = names.flatMap((name) =>
    readdirSync(join(examples, name))
      .filter((file) => /(?<!\.test)\.ts$/.test(file))
      .map((file) => `${name}/${file}`),
  );
  writeFileSync(config, JSON.stringify({ compilerOptions, files: [...files, ...declarations] }));
});
afterAll(() => rmSync(config, { force: true }));

for (const [name, folder] of Object.entries(compilers)) {
  const missing = existsSync(folder) ? '' : ' (skipped: it is not in RAREFY_COMPONENTS)';
  describe.skipIf(missing !== '')(`with ${name}${missing}`, () => {
    test('the examples compile against the built packages, whose types have no errors of their own', () => {
      const { stdout } = spawnSync(process.execPath, [join(folder, 'bin', 'tsc'), '-p', config, '--pretty', 'false'], {
        encoding: 'utf8',
      });
      // Lines that are indented continue an error. Types of TensorFlow.js and others need skipLibCheck: see docs/guide/install.md.
      const errors = stdout.split('\n').filter((line) => /^\S/.test(line) && !line.includes('node_modules/'));
      expect(errors).toEqual([]);
    });
  });
}
