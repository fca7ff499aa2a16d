import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSync, transformSync } from 'esbuild';

/** Script and style of the page. */
interface PageAssets {
  readonly script: string;
  readonly style: string;
}

let bundled: PageAssets | undefined;

/**
 * Bundles the files of `page/`, once, when running from source. The build of this package replaces this module with the finished
 * texts (scripts/build.mjs), so a published package does not need esbuild.
 */
export function pageAssets(): PageAssets {
  bundled ??= bundlePage();
  return bundled;
}

function bundlePage(): PageAssets {
  const path = (name: string) => fileURLToPath(new URL(`page/${name}`, import.meta.url));
  const { outputFiles } = buildSync({
    entryPoints: [path('main.ts')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: 'es2022',
  });
  const style = transformSync(readFileSync(path('page.css'), 'utf8'), { loader: 'css', minify: true });
  return { script: outputFiles[0]!.text, style: style.code };
}
