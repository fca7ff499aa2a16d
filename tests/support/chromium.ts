import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Path of Chromium on Debian. */
const executablePath = '/usr/bin/chromium';

/** Suffix for the name of a suite that is skipped without a browser; empty if there is one. */
export const noBrowser = existsSync(executablePath) ? '' : ` (skipped: there is no browser at ${executablePath})`;

/** Headless, with software rendering and without requests of the browser itself. */
const browserArguments = [
  '--headless --no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update',
  '--disable-sync --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader',
].flatMap((line) => line.split(' '));

/** Waits for the whole timeout of the test: a busy machine starts the browser slowly. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath, args: browserArguments, timeout: 0 });
