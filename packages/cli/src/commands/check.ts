import type { ComponentKind } from '@rarefy/testing';
import { command } from '../shell/command.js';
import { choice, text } from '../shell/define-option.js';

const kinds = [
  'sampler',
  'embedder',
  'neighbor-index',
  'density-estimator',
  'projector',
  'exporter',
  'loader',
  'metric-logger',
  'forward-model',
] as const satisfies readonly ComponentKind[];

export const check = command({
  description: 'Check your own component against the contract of its interface',
  example: 'rarefy check ./my-sampler.ts',
  argument: 'file',
  options: {
    file: text(
      'file',
      'TypeScript or JavaScript file that exports a function returning the component. The file is run: check only code that you trust',
      { required: true },
    ),
    export: text(
      'name',
      'Exported function to call with (number of items, seed); default the default export, or the only function',
    ),
    kind: choice(
      kinds,
      'Kind of the component; default its own `kind`. Required for a loader, called with (prompts, {sampler, batchSize, groupSize}), and for a metric-logger and a forward-model, called without arguments',
    ),
    texts: text(
      'file',
      'Texts that an embedder is made for, one per line, at least 3. Other members of a check, such as the `read` of an exporter, are exported by the file',
    ),
  },
  async run({ file, export: name, kind, texts }, { signal }) {
    const { RarefyError } = await import('@rarefy/core');
    const { runChecks, suites } = await import('@rarefy/testing');
    const { findSubject } = await import('../open/check-subject.js');
    const { importFile } = await import('../open/import-file.js');
    try {
      const found = await findSubject(await importFile(file), file, { name, kind, texts });
      console.log([found.kind, found.fingerprint].filter(Boolean).join(' '));
      for (const { name: unknown, near } of found.misspelled) {
        console.log(`ignored  the export "${unknown}"; did you mean "${near}"?`);
      }
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
      setTimeout(() => process.exit(), 1000).unref(); // ends even if the file left something running
    }
  },
});
