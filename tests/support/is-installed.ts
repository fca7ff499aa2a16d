import { createRequire } from 'node:module';

/** Whether somebody added an optional library to this workspace: then no test can see what its absence leads to. */
export function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
