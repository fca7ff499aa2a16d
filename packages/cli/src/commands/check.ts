import { command } from '../shell/command.js';
import { leadingArgument } from '../shell/leading-argument.js';

const kinds = ['sampler', 'embedder', 'neighbor-index', 'density-estimator', 'projector', 'exporter'] as const;
const fileDescription =
  'TypeScript or JavaScript that exports a function returning the component; the file is run, so check only code that you trust';

const checkFile = command({
  description: 'Check a component of your own against what its interface promises',
  example: 'rarefy check ./my-sampler.ts',
  options: {
    file: { type: 'text', valueHint: 'file', required: true, description: fileDescription },
    export: {
      type: 'text',
      valueHint: 'name',
      description: 'The exported function to call, as (items, seed); default the default export or the only function',
    },
    kind: { type: 'choice', choices: kinds, description: 'What it makes; default what the component says' },
  },
  async run({ file, export: name, kind }, { signal }) {
    const { RarefyError } = await import('@rarefy/core');
    const { runChecks, suites } = await import('@rarefy/testing');
    const { findSubject } = await import('../conformance/find-factory.js');
    const { importFile } = await import('../conformance/import-file.js');
    try {
      const exports = await importFile(file);
      const found = await findSubject(exports, { name, kind: kind as (typeof kinds)[number] | undefined });
      console.log(`${found.kind} ${found.fingerprint}`);
      const { passed, failed, skipped } = await runChecks(suites[found.kind](found.subject), {
        signal,
        onResult(result) {
          if (result.status === 'passed') console.log(`passed   ${result.name}`);
          else if (result.status === 'skipped') console.log(`skipped  ${result.name}: ${result.reason}`);
          else console.log(`failed   ${result.error.message}`);
        },
      });
      console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
      if (failed > 0) throw new RarefyError(`${file} failed ${failed} of ${passed + failed} checks.`);
    } finally {
      setTimeout(() => process.exit(), 1000).unref(); // should the file have left something running
    }
  },
});

/** The one argument without a name is the file. */
export const check = leadingArgument(checkFile, 'file');
