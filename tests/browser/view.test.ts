import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { counterRandom, type EmbeddingView } from '@rarefy/core';
import { pageExporter, sourceColor } from '@rarefy/viz';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, noBrowser } from '../support/chromium.js';

const patient = { timeout: 120_000 };
const hostile = '</script><img src=x onerror="executed=1"><b>bold</b>\u202Etxt.exe\u0000';
const labels = ['plain', '<i>hostile</i> \u202E', 'third'];

let folder = '';
let url = '';
let browser: Browser;

describe.skipIf(noBrowser !== '')(`the page in Chromium${noBrowser}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rarefy-view-'));
    for await (const { path, bytes } of pageExporter({ title: `Title ${hostile}` }).export(ringAround(hostile))) {
      await writeFile(join(folder, path), bytes);
      url = pathToFileURL(join(folder, path)).href;
    }
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  test('draws the points in the colors of their sources; the legend counts, hides and shows them', async () => {
    const { page, faults, requests } = await open();
    const sources = page.locator('#legend button');
    expect(await sources.count()).toBe(3);
    expect(await sources.nth(1).textContent()).toBe('<i>hostile</i> \\u{202e}100');
    expect(await page.locator('#count').textContent()).toBe('301 prompts');

    const shares = async () => colorShares(await page.screenshot());
    for (const share of await shares()) expect(share).toBeGreaterThan(0.001);
    await sources.nth(1).click();
    expect(await sources.nth(1).getAttribute('aria-pressed')).toBe('false');
    await expect.poll(async () => (await shares())[1], patient).toBe(0);
    expect((await shares())[0]).toBeGreaterThan(0.001);
    expect(await page.locator('#count').textContent()).toBe('201 of 301 prompts');
    await sources.nth(0).click();
    await sources.nth(2).click();
    await expect.poll(shares, patient).toEqual([0, 0, 0]);
    await sources.nth(1).click();
    await expect.poll(async () => (await shares())[1], patient).toBeGreaterThan(0.001);

    expect(faults).toEqual([]);
    expect(requests).toEqual([url]);
  });

  test('the card shows a hostile prompt as text and runs nothing of it', async () => {
    const { page, faults, requests } = await open();
    const { x, y } = await center(page);
    await page.mouse.move(x, y);
    const card = page.locator('#card');
    await card.waitFor({ state: 'visible' });
    expect(await card.locator('.prompt').textContent()).toBe(
      '</script><img src=x onerror="executed=1"><b>bold</b>\\u{202e}txt.exe\\u{0}',
    );
    expect(await card.locator('.id').textContent()).toBe('<u>id</u>');
    expect(await page.locator('h1').textContent()).toContain('</script><img src=x');
    expect(await page.evaluate(() => document.querySelectorAll('img, b, u, iframe, object').length)).toBe(0);
    expect(await page.evaluate(() => 'executed' in globalThis)).toBe(false);
    await page.mouse.move(x, 5);
    await card.waitFor({ state: 'hidden' });
    expect(faults).toEqual([]);
    expect(requests).toEqual([url]);
  });

  test('the policy blocks scripts and requests that get into the page', async () => {
    const { page } = await open();
    const blocked: (string | undefined)[] = [];
    const answered: string[] = [];
    page.on('requestfailed', (request) => blocked.push(request.failure()?.errorText));
    page.on('requestfinished', (request) => answered.push(request.url()));
    await page.evaluate(() => {
      document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="executed=1"><p style="color:red">');
      document.body.append(Object.assign(document.createElement('script'), { textContent: 'executed = 1' }));
    });
    expect(await page.evaluate(() => fetch('https://example.invalid/').catch((error: Error) => error.name))).toBe(
      'TypeError',
    );
    expect(await page.evaluate(() => 'executed' in globalThis)).toBe(false);
    await expect.poll(() => blocked, patient).toContain('csp');
    expect(answered).toEqual([]);
  });

  test('rotates when dragged, fits the window and follows the color scheme', async () => {
    const { page, faults } = await open();
    const { x, y } = await center(page);
    const canvas = page.locator('#points');
    const before = await canvas.screenshot();
    await page.mouse.move(x - 200, y);
    await page.mouse.down();
    await page.mouse.move(x - 80, y + 40, { steps: 4 });
    await page.mouse.up();
    await expect.poll(async () => before.equals(await canvas.screenshot()), patient).toBe(false);
    await page.setViewportSize({ width: 390, height: 700 });
    await expect.poll(() => page.evaluate(() => document.querySelector('canvas')!.width), patient).toBe(390);
    expect((await colorShares(await page.screenshot())).every((share) => share > 0.0005)).toBe(true);

    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--ground'));
    const dark = await ground();
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await ground()).not.toBe(dark);
    expect(faults).toEqual([]);
  });

  test('without WebGL the page says so and still shows its sources', async () => {
    const { page, faults } = await open(() => {
      HTMLCanvasElement.prototype.getContext = () => null;
    });
    expect(await page.locator('#notice').textContent()).toContain('WebGL 2');
    expect(await page.locator('#legend button').count()).toBe(3);
    expect(faults).toEqual([]);
  });
});

async function open(before: () => void = () => {}): Promise<{ page: Page; faults: string[]; requests: string[] }> {
  const page = await browser.newPage({ viewport: { width: 900, height: 600 }, colorScheme: 'dark' });
  page.setDefaultTimeout(0);
  const faults: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.addInitScript(before);
  await page.goto(url);
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  return { page, faults, requests };
}

/** The center of the part of the window that the panel leaves free, where the center of the space is drawn. */
async function center(page: Page): Promise<{ x: number; y: number }> {
  const { x, width } = (await page.locator('#panel').boundingBox())!;
  return { x: (x + width + 900) / 2, y: 300 };
}

/** The share of a screenshot, right of the panel, that has the hue of each source. */
async function colorShares(screenshot: Buffer): Promise<number[]> {
  const page = await browser.newPage();
  const colors = labels.map((_, code) => sourceColor(code));
  const shares = await page.evaluate(
    async ([image, wanted]) => {
      const picture = new Image();
      picture.src = `data:image/png;base64,${image}`;
      await picture.decode();
      const context = Object.assign(document.createElement('canvas'), {
        width: picture.width,
        height: picture.height,
      }).getContext('2d')!;
      context.drawImage(picture, 0, 0);
      const left = picture.width > 500 ? 280 : 0;
      const height = picture.width > 500 ? picture.height : picture.height / 2;
      const { data } = context.getImageData(left, 0, picture.width - left, height);
      const hue = (r: number, g: number, b: number) =>
        (Math.atan2(Math.sqrt(3) * (g - b), 2 * r - g - b) * 180) / Math.PI;
      return wanted.map((color) => {
        const [r, g, b] = [1, 3, 5].map((start) => Number.parseInt(color.slice(start, start + 2), 16)) as [
          number,
          number,
          number,
        ];
        let found = 0;
        for (let offset = 0; offset < data.length; offset += 4) {
          const pixel = [data[offset]!, data[offset + 1]!, data[offset + 2]!] as const;
          const away = Math.abs(hue(...pixel) - hue(r, g, b));
          if (Math.max(...pixel) - Math.min(...pixel) > 60 && Math.min(away, 360 - away) < 12) found++;
        }
        return found / (data.length / 4);
      });
    },
    [screenshot.toString('base64'), colors] as const,
  );
  await page.close();
  return shares;
}

/** 300 points of three sources around one point with the given prompt, which no other point covers when the page opens. */
function ringAround(prompt: string): EmbeddingView {
  const random = counterRandom(1);
  const coordinates: number[] = [];
  for (let drawn = 0; coordinates.length < 900; drawn++) {
    const point = [0, 1, 2].map((axis) => 2 * random.uniform(3 * drawn + axis) - 1) as [number, number, number];
    const [x, y, z] = point;
    const [a, b, c] = [0.5, 0.38, 0.78].map((value) => value / Math.hypot(0.5, 0.38, 0.78)) as [number, number, number];
    const off = Math.hypot(y * c - z * b, z * a - x * c, x * b - y * a); // distance from the line of sight
    if (off > 0.3) coordinates.push(...point);
  }
  return {
    ids: [...Array.from({ length: 300 }, (_, i) => `p${i}`), '<u>id</u>'],
    layout: { data: Float32Array.from([...coordinates, 0, 0, 0]), rows: 301, cols: 3 },
    columns: {
      source: { type: 'category', labels, codes: Uint32Array.from({ length: 301 }, (_, i) => i % 3) },
      density: { type: 'number', values: Float32Array.from({ length: 301 }, (_, i) => (i % 100) / 100) },
      prompt: { type: 'text', values: [...Array.from({ length: 300 }, (_, i) => `prompt ${i}`), prompt] },
    },
  };
}
