import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Where Debian puts Chromium. */
const executablePath = '/usr/bin/chromium';

/** What to append to a suite's name where there is no browser. */
export const noBrowser = existsSync(executablePath) ? '' : ` (skipped: there is no browser at ${executablePath})`;

/** Headless, software rendering, no request of the browser's own. */
const browserArguments = [
  '--headless --no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update',
  '--disable-sync --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader',
].flatMap((line) => line.split(' '));

/** Waits as long as the test may take: a crowded machine is slow to start it. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath, args: browserArguments, timeout: 0 });
