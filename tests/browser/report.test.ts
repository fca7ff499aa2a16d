import { writeFileSync } from 'node:fs';
import { reportPage } from '@rarefy/experiment';
import { expect, test } from 'vitest';
import { sampleReport } from '../support/sample-report.js';

test('x', () => {
  const t = performance.now();
  const html = reportPage(sampleReport());
  console.log(html.length, performance.now() - t);
  writeFileSync('/tmp/rep/report.html', html);
  writeFileSync(
    '/tmp/rep/hostile.html',
    reportPage(sampleReport({ insert: '</script><img src=x onerror="executed=1"><b>bold</b>\u202Etxt.exe\u0000' })),
  );
  console.log(reportPage(sampleReport({ prompts: 72 })).length);
  expect(html).toBeTruthy();
});
