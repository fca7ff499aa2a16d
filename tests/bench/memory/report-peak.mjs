// node --import …/report-peak.mjs: when the process ends, writes its resource usage to the file PEAK_FILE.
import { writeFileSync } from 'node:fs';
import { peakBytes } from './peak-bytes.mjs';

process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  const seconds = performance.now() / 1000;
  writeFileSync(
    process.env.PEAK_FILE,
    JSON.stringify({ peakBytes: peakBytes(), cpuSeconds: (user + system) / 1e6, seconds }),
  );
});
