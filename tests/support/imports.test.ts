import { expect, test } from 'vitest';
import { importsOf, onlyReExports, packageOf, stringsOf } from './imports.js';

test('finds every form of import, and no import in comments and strings', () => {
  const text = `
    import './side-effect.js';
    import defaultName, { a, type B } from './values.js';
    import type { C } from './types.js';
    import { type D, type E } from './more-types.js';
    import * as all from '@scope/library/part';
    export { f } from './exports.js';
    export * from './everything.js';
    export type { G } from './exported-types.js';
    // import './in-a-comment.js';
    const text = "import './in-a-string.js'";
    const later = async () => (await import('./later.js')).x;
    type H = import('./inline-type.js').H;
    const unknown = (name: string) => import(name);
  `;
  expect(importsOf(text).map(({ module, kind }) => `${kind} ${module}`)).toEqual([
    'static ./side-effect.js',
    'static ./values.js',
    'type ./types.js',
    'type ./more-types.js',
    'static @scope/library/part',
    'static ./exports.js',
    'static ./everything.js',
    'type ./exported-types.js',
    'dynamic ./later.js',
    'type ./inline-type.js',
  ]);
  expect(stringsOf(text)).toContain("import './in-a-string.js'");
});

test('reduces a module specifier to its package', () => {
  expect(packageOf('@rarefy/core')).toBe('@rarefy/core');
  expect(packageOf('@rarefy/embedders/hash')).toBe('@rarefy/embedders');
  expect(packageOf('csv-parse/sync')).toBe('csv-parse');
});

test('recognizes a file that only re-exports', () => {
  expect(onlyReExports("/** Entry. */\nexport { a } from './a.js';\nexport type * from './b.js';\n")).toBe(true);
  expect(onlyReExports("import { a } from './a.js';\nexport { a };\n")).toBe(true);
  expect(onlyReExports("export { a } from './a.js';\nexport const b = 1;\n")).toBe(false);
  expect(onlyReExports("import './side-effect.js';\n")).toBe(false);
});
