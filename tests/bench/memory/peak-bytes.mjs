import { readFileSync } from 'node:fs';

/** Most memory that this process has had resident so far, as Linux counts it; elsewhere what it has now. */
export function peakBytes() {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  } catch {
    return process.memoryUsage.rss();
  }
}
