import { defineConfig } from 'tsup';

/** The build of every library: ESM and types, with one entry per subpath of the package's `exports`. */
export function library(entries: readonly string[]) {
  return defineConfig({
    entry: Object.fromEntries(entries.map((name) => [name, `src/${name}.ts`])),
    format: 'esm',
    target: 'node20',
    dts: true,
    sourcemap: true,
    clean: true,
  });
}
