import { readFileSync } from 'node:fs';

/** Peak resident memory of this process on Linux, in bytes; elsewhere its current memory. */
export function peakBytes() {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  } catch {
    return process.memoryUsage.rss();
  }
}
