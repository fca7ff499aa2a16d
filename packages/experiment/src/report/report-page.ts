import { createHash } from 'node:crypto';
import type { ExperimentReport } from '../analysis/report.js';
import { curvesSection, decilesSection, drawsSection, seedsSection, tradeSection } from './chart-sections.js';
import { markerShapes } from './charts.js';
import { effectTable } from './effect-table.js';
import { html, type Markup } from './markup.js';
import { namesOf } from './names.js';
import { pageAssets } from './page-assets.js';
import {
  answersSection,
  checksSection,
  collapseSection,
  commandsSection,
  departuresSection,
  planSection,
  varianceSection,
  verdictSection,
} from './table-sections.js';

/**
 * The report as one HTML file. It works from disk and makes no requests: its content security policy allows its one script and its
 * one style by their hashes, and nothing else. Every text of the report is shown as text. The charts are SVG, so they need no
 * script; sorting, filtering, CSV and the switches do.
 */
export function reportPage(report: ExperimentReport): string {
  const { script, style } = pageAssets();
  const names = namesOf(report);
  const sections: readonly (readonly [id: string, title: string, content: Markup])[] = [
    ['checks', 'Can the result be read?', checksSection(report)],
    ['departures', 'Departures from the plan', departuresSection(report)],
    ['curves', 'Reward and diversity over steps', curvesSection(report, names)],
    ['seeds', 'Runs of the same seed', seedsSection(report, names)],
    [
      'effect-sizes',
      'Effects',
      html`<p class="lead">Each arm minus ${report.baseline}; one value per run. p is from the exact unpaired permutation test; ✓ marks a Holm p of at most ${report.plan.alpha}. Exploratory effects have no Holm p, and some of their p are small by chance. In the plots, the gray field spans the differences that are too small to be found with power ${report.plan.power}, and a filled dot says that the interval excludes 0. Controls are measures that alone can move this one, such as the length of answers; those whose own interval excludes 0 are named.</p>${effectTable(report, names)}`,
    ],
    ['collapse', `Collapse under ${report.baseline}`, collapseSection(report, names)],
    ['draws', 'Where the draws went', drawsSection(report, names)],
    ['deciles', 'Reward and quality by density', decilesSection(report, names)],
    ['trade', 'Reward against diversity', tradeSection(report, names)],
    ['variance', 'What to buy more of', varianceSection(report, names)],
    ['answers', 'Answers side by side', answersSection(report, names)],
    ['plan', 'The plan', planSection(report, names)],
    ['commands', 'Repeat it', commandsSection(report)],
  ];
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const title = report.plan.name;
  const runs = `${report.runs.length} runs, ${report.arms.length} arms, ${new Set(report.runs.map((run) => run.seed)).size} seeds`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${{ markup: policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${{ markup: style }}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the verdict</a>
${markerShapes()}
<header><h1>${title}</h1><p>${report.plan.hypothesis}</p><p class="meta">${runs} · ${report.created}</p></header>
<div class="page"><nav aria-label="Sections"><ol><li><a href="#verdict">Verdict</a></li>${sections.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ol></nav>
<main id="main">${verdictSection(report)}
${sections.map(
  ([
    id,
    name,
    content,
  ]) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${name}</h2>${content}</section>
`,
)}</main></div>
<script>${{ markup: script }}</script>
</body>
</html>
`.markup;
}

const hashOf = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;
