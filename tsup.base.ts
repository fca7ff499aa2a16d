import { readFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

type Exports = Readonly<Record<string, string | { readonly '@rarefy/source': string }>>;

/** The build of a library: ESM and types, with one entry per subpath in the `exports` of the package in the current folder. */
export function library() {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Exports };
  const sources = Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [] : target['@rarefy/source'],
  );
  return defineConfig({
    entry: Object.fromEntries(sources.map((source) => [source.replace('./src/', '').replace('.ts', ''), source])),
    format: 'esm',
    target: 'node20',
    dts: true,
    sourcemap: true,
    clean: true,
  });
}
