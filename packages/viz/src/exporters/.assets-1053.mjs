import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
let bundled;
export function pageAssets() {
  bundled ??= bundlePage();
  return bundled;
}
async function bundlePage() {
  const path = (name) => fileURLToPath(new URL(`../page/${name}`, import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [path("main.ts")],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    target: "es2022",
    conditions: ["@rarefy/source"],
    legalComments: "inline"
    // the license of three.js requires its notice
  });
  const style = await transform(await readFile(path("page.css"), "utf8"), { loader: "css", minify: true });
  return { script: outputFiles[0].text, style: style.code };
}
