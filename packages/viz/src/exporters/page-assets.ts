import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

/** Script, including libraries, and style of the page. */
interface PageAssets {
  readonly script: string;
  readonly style: string;
}

let bundled: Promise<PageAssets> | undefined;

/**
 * Bundles the files of `page/`, once, when running from source. The build of this package replaces this module with the finished
 * texts (scripts/build.mjs), so a published package needs neither esbuild nor three.
 */
export function pageAssets(): Promise<PageAssets> {
  bundled ??= bundlePage();
  return bundled;
}

async function bundlePage(): Promise<PageAssets> {
  const path = (name: string) => fileURLToPath(new URL(`../page/${name}`, import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [path('main.ts')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: 'es2022',
    conditions: ['@rarefy/source'],
    legalComments: 'inline', // the license of three.js requires its notice
  });
  const style = await transform(await readFile(path('page.css'), 'utf8'), { loader: 'css', minify: true });
  return { script: outputFiles[0]!.text, style: style.code };
}
