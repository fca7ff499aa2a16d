import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { codeDigest, importFile } from './import-file.js';

const root = mkdtempSync(join(tmpdir(), 'rarefy-import-'));
afterAll(() => rmSync(root, { recursive: true }));

/** Writes a module that knows its own address, and one that it imports, into a new folder. */
function project(name: string, answer: number): string {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'answer.ts'), `export const answer: number = ${answer};\n`);
  const lines = ["import { answer } from './answer.js';", 'export default { answer, at: import.meta.url };'];
  writeFileSync(join(folder, 'module.ts'), lines.join('\n'));
  return join(folder, 'module.ts');
}

test('the digest of TypeScript is that of its code and imports, in whatever folder they are', async () => {
  const [here, elsewhere, changed] = [project('here', 1), project('elsewhere', 1), project('changed', 2)];
  const { exports, digest } = await importFile(here);
  expect(exports.default).toEqual({ answer: 1, at: `file://${here}` });
  expect(digest).toBe(await codeDigest(here));
  expect(await codeDigest(elsewhere)).toBe(digest);
  expect(await codeDigest(changed)).not.toBe(digest);
});
