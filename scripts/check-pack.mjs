// `prepack` of every package: refuses to pack a build that is missing or out of date, and tarballs that cannot be installed.
import { basename } from 'node:path';
import { stalePackages } from './build-stamp.mjs';

const folder = basename(process.cwd());
const packer = process.env.npm_config_user_agent?.split('/')[0] ?? 'unknown';
if (stalePackages().includes(folder)) {
  fail(`packages/${folder} is not built, or has changed since its build`);
}
if (packer !== 'pnpm') {
  fail(`${packer} pack leaves "workspace:" and "catalog:" in the package.json, and no tool can install that`);
}

function fail(reason) {
  console.error(`rarefy: cannot pack: ${reason}. Run in the root folder: npm run pack:all`);
  process.exit(1);
}
