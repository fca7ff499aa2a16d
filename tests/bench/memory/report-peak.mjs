// node --import …/report-peak.mjs: writes what the process used into the file that PEAK_FILE names, when it ends.
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
