import { readFileSync } from 'node:fs';
import { type ExperimentReport, reportPage } from '@rarefy/analysis';
import { describe, expect, test } from 'vitest';
import { sampleReport } from './support/sample-report.js';

const hostile = '</script><img src=x onerror="executed=1"><b>bold</b>\u202Etxt.exe\u0000';
const style = readFileSync(new URL('../packages/analysis/src/report/page/page.css', import.meta.url), 'utf8');

test('a page of 48 runs and 72 prompts weighs less than 1.5 MB and is the same for the same report', () => {
  const report = sampleReport({ prompts: 72 });
  expect(report.runs).toHaveLength(48);
  const page = reportPage(report);
  expect(Buffer.byteLength(page)).toBeLessThan(1_500_000);
  expect(Buffer.byteLength(page)).toBeGreaterThan(500_000);
  expect(reportPage(structuredClone(report))).toBe(page);
});

test('hostile texts add no markup, and no control or direction character is in the page', () => {
  const tagsOf = (page: string) => [...page.matchAll(/<\/?([a-z][a-z0-9]*)/gi)].map(([, name]) => name);
  const page = reportPage(sampleReport({ seeds: 2, insert: hostile }));
  expect(tagsOf(page)).toEqual(tagsOf(reportPage(sampleReport({ seeds: 2 }))));
  expect(page).not.toContain('\u0000');
  expect(page).not.toContain('\u202e');
  expect(page.split('txt.exe').length).toBeGreaterThan(60);
});

test('every text of the report is on the page', () => {
  const report = sampleReport({ seeds: 2 });
  const page = reportPage(report);
  const escaped = (text: string) => text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
  const texts = [
    report.verdict.headline,
    ...report.verdict.findings,
    ...report.verdict.limits,
    ...report.checks.flatMap(({ name, text }) => [name, text]),
    ...report.departures.map(({ text }) => text),
    ...report.measures.map(({ label }) => label),
    ...report.variance.map(({ advice }) => advice),
    ...report.answers.flatMap(({ prompt, answers }) => [prompt, ...answers.map(({ text }) => text)]),
    ...report.commands,
    ...Object.entries(report.environment).flat(),
    ...Object.values(report.plan.digests),
  ];
  for (const text of texts) expect(page).toContain(escaped(text));
});

test('what a report lacks is said or left out', () => {
  const full = sampleReport({ seeds: 2 });
  const bare: ExperimentReport = {
    ...full,
    verdict: { ...full.verdict, kind: 'cannot-answer', findings: [], limits: [] },
    departures: [],
    arms: full.arms.slice(0, 1),
    runs: full.runs.slice(0, 1),
    effects: [],
    collapse: [],
    curves: [],
    draws: [],
    density: { edges: [], counts: [], logarithmic: false },
    byDecile: [],
    variance: [],
    answers: [],
  };
  const page = reportPage(bare);
  expect(page).toContain('Cannot answer');
  expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/);
  const [effect] = full.effects;
  const lacking = { ...effect!, hedgesG: null, p: null, pHolm: null, detectable: null, shareAverted: null };
  const pairing = { correlation: null, p: null };
  expect(reportPage({ ...full, effects: [{ ...lacking, pairing }] })).not.toMatch(/NaN|Infinity|undefined|null/);
  expect(reportPage(full)).not.toMatch(/NaN|Infinity|undefined|\[object/);
});

test('the policy allows the script and the style by their hashes and nothing else', () => {
  const page = reportPage(sampleReport({ seeds: 2 }));
  const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page)!;
  expect(policy).toMatch(
    /^default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+'; img-src data:; base-uri 'none'; form-action 'none'$/,
  );
  expect(page).not.toMatch(/ on[a-z]+=| style=|https?:/);
});

describe.each(['light', 'dark'])('the %s colors', (theme) => {
  const block = style.split('prefers-color-scheme: dark')[theme === 'dark' ? 1 : 0]!.split('\n}')[0]!;
  const colors = new Map([...block.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{6})/g)].map(([, name, hex]) => [name!, hex!]));
  const luminance = (hex: string) =>
    [1, 3, 5]
      .map((start) => Number.parseInt(hex.slice(start, start + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i]!, 0);
  const contrast = (a: string, b: string) => {
    const [low, high] = [luminance(colors.get(a)!), luminance(colors.get(b)!)].sort((x, y) => x - y);
    return (high! + 0.05) / (low! + 0.05);
  };

  test('of texts have a contrast of at least 4.5, those of arms of at least 3', () => {
    for (const name of ['text', 'muted', 'accent', 'good', 'bad', 'caution']) {
      expect(contrast(name, 'card'), name).toBeGreaterThanOrEqual(4.5);
    }
    for (let arm = 0; arm < 10; arm++) expect(contrast(`arm-${arm}`, 'card'), `arm ${arm}`).toBeGreaterThanOrEqual(3);
  });
});
