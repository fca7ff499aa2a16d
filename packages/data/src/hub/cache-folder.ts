import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where downloads lie: `rarefy` below XDG_CACHE_HOME, or below `~/.cache`. */
export function cacheFolder(kind: 'models' | 'data'): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rarefy', kind);
}
