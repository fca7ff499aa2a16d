import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const addon = new URL(
  `../../packages/neighbors-native/native/neighbors.${process.platform}-${process.arch}.node`,
  import.meta.url,
);

/** Why tests of the native addon are skipped, as a suffix of the suite name; empty if they run. */
export const nativeReason = existsSync(fileURLToPath(addon)) ? '' : ' (skipped: the native addon is not built)';
