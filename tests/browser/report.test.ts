import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { reportPage } from '@rarefy/experiment';
import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, noBrowser } from '../support/chromium.js';
import { sampleReport } from '../support/sample-report.js';

const hostile = '</script><img src=x onerror="executed=1"><b>bold</b>\u202Etxt.exe\u0000';
const shown = '</script><img src=x onerror="executed=1"><b>bold</b>\\u{202e}txt.exe\\u{0}';
const windows = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 360, height: 780 },
} as const;
const schemes = ['light', 'dark'] as const;

let folder = '';
let browser: Browser;

describe.skipIf(noBrowser !== '')(`the report in Chromium${noBrowser}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rarefy-report-'));
    await writeFile(join(folder, 'report.html'), reportPage(sampleReport()));
    await writeFile(join(folder, 'hostile.html'), reportPage(sampleReport({ seeds: 2, insert: hostile })));
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  const views = Object.entries(windows).flatMap(([size, viewport]) =>
    schemes.map((colorScheme) => ({ size, viewport, colorScheme })),
  );
  test.each(views)('fits a $size in $colorScheme and passes axe', async ({ viewport, colorScheme }) => {
    const { page, faults, requests, url } = await open('report.html', { viewport, colorScheme });
    await page.evaluate(axe.source);
    expect(await page.evaluate(violations)).toEqual([]);
    for (const summary of await page.locator('details.more > summary').all()) await summary.click();
    expect(await page.evaluate(overflowing)).toEqual([]);
    expect(await page.evaluate(overlapping)).toEqual([]);
    expect(faults).toEqual([]);
    expect(requests).toEqual([url]);
    await page.close();
  });

  test('sorts and exports the effects by keyboard', async () => {
    const { page, faults } = await open('report.html');
    const count = page.locator('#row-count');
    expect(await count.textContent()).toBe('20 of 460 effects');
    await page.locator('select[name=measure]').selectOption('');
    await page.locator('select[name=family]').selectOption('secondary');
    expect(await count.textContent()).toBe('40 of 460 effects');

    const head = page.locator('th[data-key=p]');
    await head.locator('button').focus();
    await page.keyboard.press('Enter');
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    const column = () =>
      page
        .locator('#effects tbody tr:visible td:nth-child(6)')
        .evaluateAll((cells) => cells.map((cell) => Number((cell as HTMLElement).dataset.value)));
    const ascending = await column();
    expect(ascending).toHaveLength(40);
    expect(ascending).toEqual([...ascending].sort((a, b) => a - b));
    await page.keyboard.press('Space');
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    expect(await column()).toEqual([...ascending].reverse());
    expect(await page.locator('th[aria-sort]').count()).toBe(1);

    await page.locator('#csv').focus();
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    expect(download.suggestedFilename()).toBe('effects.csv');
    const [first, ...lines] = (await readFile(await download.path(), 'utf8')).trimEnd().split('\r\n');
    expect(first).toBe(
      'family,arm,measure,stratum,difference,lower,upper,p,holm_p,detectable,controls,baseline_mean,arm_mean',
    );
    expect(lines).toHaveLength(40);
    for (const line of lines)
      expect(line).toMatch(/^secondary,"[a-z0-9.-]+","[a-z0-9-]+","all"(,-?[\d.e-]+){6},"[^"]*"(,-?[\d.e-]+){2}$/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('the switch shows one stratum, the legend hides an arm in all charts, and commands are copied', async () => {
    const { page, faults } = await open('report.html');
    const titles = () => page.locator('#seeds svg:visible').evaluateAll((all) => all.map((one) => one.ariaLabel));
    expect(await titles()).toHaveLength(5);
    await page.locator('input[name=seeds-stratum]').first().focus();
    await page.keyboard.press('ArrowRight');
    for (const title of await titles()) expect(title).toContain('head topics');

    const arms = page.locator('svg [data-arm="ess-0.2"]');
    const visible = () =>
      arms.evaluateAll((all) => all.filter((one) => getComputedStyle(one).display !== 'none').length);
    expect(await visible()).toBe(await arms.count());
    await page.locator('#curves .legend button[data-arm="ess-0.2"]').focus();
    await page.keyboard.press('Space');
    expect(await visible()).toBe(0);
    expect(await page.locator('.legend button[data-arm="ess-0.2"][aria-pressed=true]').count()).toBe(0);

    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy command 2' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#copied').textContent()).toBe('Copied');
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(sampleReport({ seeds: 2 }).commands[1]);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('shows hostile texts as text, and its policy blocks what gets in anyway', async () => {
    const { page, faults, requests, url } = await open('hostile.html');
    expect(await page.locator('h1').textContent()).toBe(`Does rarity keep answers varied?${shown}`);
    const answer = await page.locator('blockquote p').first().textContent();
    expect(answer?.endsWith(shown)).toBe(true);
    expect(await page.evaluate(() => document.querySelectorAll('img, iframe, object, embed').length)).toBe(0);
    expect(await page.evaluate(() => document.body.textContent.includes('\u202e'))).toBe(false);
    expect(await page.evaluate(overflowing)).toEqual([]);
    expect(faults).toEqual([]);
    expect(requests).toEqual([url]);
    await page.evaluate(() => {
      document.body.insertAdjacentHTML('beforeend', '<img src=https://example.invalid/x onerror="executed=1">');
      document.body.append(Object.assign(document.createElement('script'), { textContent: 'executed = 1' }));
    });
    expect(await page.evaluate(() => fetch('https://example.invalid/').catch((error: Error) => error.name))).toBe(
      'TypeError',
    );
    expect(await page.evaluate(() => 'executed' in globalThis)).toBe(false);
    await page.close();
  });

  test('fits on paper in light colors, with the folded answers', async () => {
    const { page } = await open('report.html', { viewport: { width: 720, height: 1000 }, colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(720);
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)');
    expect(await page.locator('details.answers:not([open])').count()).toBe(0);
    expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000);
    await page.close();
  });

  test('shows everything without a script', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(pathToFileURL(join(folder, 'report.html')).href);
    expect(await page.locator('#effects tbody tr:visible').count()).toBe(460);
    expect(await page.locator('#seeds svg:visible').count()).toBe(20);
    expect(await page.locator('.needs-script:visible').count()).toBe(0);
    await context.close();
  });
});

async function open(file: string, options: Parameters<Browser['newPage']>[0] = {}) {
  const page = await browser.newPage(options);
  const faults: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  const url = pathToFileURL(join(folder, file)).href;
  await page.goto(url);
  return { page, faults, requests, url };
}

/** Elements that reach beyond the window and do not scroll, and texts that their box cuts. */
function overflowing(): string[] {
  return Array.from(document.querySelectorAll('body *'))
    .filter((element) => !element.closest('.unseen, .skip, .shapes, .scroll table, pre, nav ol'))
    .filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width > 0 && (left < -1 || right > document.documentElement.clientWidth + 1);
    })
    .map((element) => element.outerHTML.slice(0, 120));
}

/** Pairs of texts of one chart that overlap, and texts that leave their chart. */
function overlapping(): string[] {
  return Array.from(document.querySelectorAll('.chart svg')).flatMap((svg) => {
    const frame = svg.getBoundingClientRect();
    const texts = Array.from(svg.querySelectorAll('text'), (text) => ({
      text: text.textContent,
      box: text.getBoundingClientRect(),
    }));
    const leaving = texts.filter(
      ({ box }) => box.width > 0 && (box.left < frame.left - 1 || box.right > frame.right + 1),
    );
    const pairs = texts.flatMap((one, i) =>
      texts
        .slice(i + 1)
        .filter(({ box }) => {
          const across = Math.min(one.box.right, box.right) - Math.max(one.box.left, box.left);
          const down = Math.min(one.box.bottom, box.bottom) - Math.max(one.box.top, box.top);
          return across > 1 && down > 3;
        })
        .map((other) => `${one.text} / ${other.text}`),
    );
    return [...leaving.map(({ text }) => `leaves: ${text}`), ...pairs].map(
      (fault) => `${svg.ariaLabel?.slice(0, 60)}: ${fault}`,
    );
  });
}

async function violations(): Promise<string[]> {
  const { axe: loaded } = globalThis as unknown as { axe: typeof axe };
  const found = await loaded.run();
  if (found.passes.length < 25) return [`axe passed only ${found.passes.length} rules`];
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.slice(0, 3).map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`),
  );
}
