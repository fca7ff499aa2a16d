import { createHash } from 'node:crypto';
import {
  callOptionNames,
  checkOptions,
  described,
  type Exporter,
  InvalidArgumentError,
  visibleText,
} from '@rarefy/core';
import { encodeView } from '../view/view-data.js';
import { pointCount } from '../view/view-points.js';

const maxPoints = 200_000;

export interface PageExporterOptions {
  /** Heading of the page; default `Prompt space`. */
  readonly title?: string;
}

/**
 * Writes `view.html`: one file that shows the view in 3D from disk, without a network. The color of a point is its source, its size
 * the density (larger is rarer). A legend hides and shows sources; the prompt under the pointer appears as plain text. About 0.6 MB
 * and 0.3 KB per prompt.
 *
 * `export` throws InvalidArgumentError if the view has more than 200,000 points or no source, density or prompt.
 * @throws InvalidArgumentError if an option is unknown or `title` is not a text.
 */
export function pageExporter(options: PageExporterOptions = {}): Exporter {
  checkOptions(options, ['title'] satisfies (keyof PageExporterOptions)[], 'pageExporter');
  const { title = 'Prompt space' } = options;
  if (typeof title !== 'string') throw new InvalidArgumentError(`title must be a text, got ${described(title)}`);
  return {
    specificationVersion: 'v1',
    kind: 'exporter',
    fingerprint: `page:title=${title}`,
    capabilities: { mediaType: 'text/html', extension: '.html', maxPoints },
    async *export(view, options = {}) {
      checkOptions(options, callOptionNames, 'export of pageExporter');
      const { signal } = options;
      signal?.throwIfAborted();
      if (pointCount(view) > maxPoints) {
        throw new InvalidArgumentError(
          `the view has ${view.ids.length} points, but a page shows at most ${maxPoints}; export a sample`,
        );
      }
      const data = encodeView(view);
      const { pageAssets } = await import('./page-assets.js');
      const { script, style } = await pageAssets();
      signal?.throwIfAborted();
      const html = pageHtml({ title: visibleText(title), data, script, style });
      yield { path: 'view.html', bytes: new TextEncoder().encode(html) };
    },
  };
}

interface PageParts {
  readonly title: string;
  /** JSON of the view. */
  readonly data: string;
  readonly script: string;
  readonly style: string;
}

/**
 * The whole page. Its content security policy allows its one script and its one style, by their hashes, and nothing else: the page
 * makes no requests, and markup in a text does nothing. The data is in a block that is not a script, with every markup character
 * escaped.
 */
function pageHtml({ title, data, script, style }: PageParts): string {
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    'img-src data: blob:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeMarkup(title)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<canvas id="points" aria-label="Prompts as points in 3D: drag to rotate, scroll to zoom"></canvas>
<aside id="panel">
<h1>${escapeMarkup(title)}</h1>
<p id="count" aria-live="polite"></p>
<ul id="legend" aria-label="Sources"></ul>
<div id="sizes"><span>crowded</span><i></i><i></i><i></i><span>rare</span></div>
</aside>
<div id="ring" hidden></div>
<div id="card" role="tooltip" hidden></div>
<p id="notice" role="alert" hidden>This page needs WebGL 2, which this browser does not support. Turn on hardware acceleration in the browser settings, or open the page in another browser.</p>
<noscript>This page needs JavaScript, which is turned off in this browser.</noscript>
<script type="application/json" id="view">${escapeData(data)}</script>
<script>${script}</script>
</body>
</html>
`;
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** Escapes all markup characters in JSON; the result is JSON with the same value. */
export function escapeData(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function escapeMarkup(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
