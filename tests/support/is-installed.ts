import { createRequire } from 'node:module';

/** Whether an optional library was added to this workspace, so that no test can observe its absence. */
export function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
