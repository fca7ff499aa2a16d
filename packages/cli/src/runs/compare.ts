import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import type { ExperimentReport } from '@rarefy/analysis';
import { type CallOptions, InputError, InvalidArgumentError } from '@rarefy/core';
import { openBackend } from '../open/backend.js';
import { flag, integer, text } from '../shell/define-option.js';
import { openPage } from '../shell/open-page.js';
import { defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { commandLine, table, wrapped } from '../shell/text.js';
import { experimentOptions, openExperiment } from './compared-experiment.js';

export const compareOptions = {
  ...experimentOptions,
  ...under('Training', {
    processes: integer('Runs at the same time, each in its own process; default as many as fit cores and memory', {
      min: 1,
    }),
    memory: text('size', 'Memory of all processes together, such as 8GB; default what is free'),
    only: text('arm/seed', 'Train this run alone, in this process, without a report: for machines that share --out'),
    'accept-changes': text(
      'reason',
      'Continue although the plan in --out is another one; the report shows what changed, and this reason',
    ),
  }),
  ...under('Output', {
    out: text('folder', 'Folder of the plan, the runs and the report', { default: 'out/compare' }),
    report: flag('Analyze what is in --out and write the report again; trains nothing, and needs no experiment'),
    power: flag('Print which effects more runs could find, from the report in --out'),
    'keep-models': flag('Keep the trained models'),
    open: flag('Open report.html in the browser'),
  }),
} as const satisfies OptionDefinitions;

type CompareValues = OptionValues<typeof compareOptions>;

/** Trains what is missing and reports; or one of the two. */
export async function compareArms(
  values: CompareValues,
  options: CallOptions,
  given: ReadonlySet<string>,
  rawArguments: readonly string[],
) {
  const { out: folder, only, acceptChanges, keepModels } = values;
  if (values.power) return printPower(folder);
  if (values.report) return report(values);
  const { planLines, warnOfTreatment } = await import('@rarefy/analysis');
  const experiments = await import('@rarefy/experiment');
  const memoryBytes = values.memory === undefined ? undefined : parseSize(values.memory);
  const backend = await openBackend(values.backend, options);
  const { experiment, code } = await openExperiment(values, given, folder, options);
  const script = process.argv[1] ?? '';
  const words = ['compare', ...rawArguments];
  const planned = { folder, code, command: commandLine(words), ...defined({ acceptChanges }) };
  const shared = { ...options, folder, code, backend, keepModels };
  if (only !== undefined) {
    stopWithParent();
    await experiments.ensurePlan(experiment, planned);
    const [arm, seed] = only.split('/') as [string, string?];
    await experiments.trainRun(experiment, { ...shared, arm, seed: Number(seed) });
    return console.log(`${only} is complete in ${folder}`);
  }

  console.log(planLines(experiment, folder).join('\n'));
  const startRun = experiments.childProcesses({
    command: process.execPath,
    args: [...process.execArgv, script, ...words],
  });
  let verified: Promise<void> | undefined;
  const limits =
    values.processes === undefined
      ? { processes: backend.device === 'gpu' ? 1 : availableParallelism(), memoryBytes: memoryBytes ?? freemem() }
      : { processes: values.processes, ...defined({ memoryBytes }) };
  try {
    await experiments.runExperiment(experiment, {
      ...{ ...shared, ...planned, ...limits },
      async startRun(run, call) {
        verified ??= warnOfTreatment(experiment, folder, options);
        await verified;
        await startRun(run, call);
      },
    });
  } catch (error) {
    if (options.signal?.aborted) console.error('rarefy: the runs are saved; the same command continues them');
    throw error;
  }
  await report(values);
}

/** Saves the state and stops, as on Ctrl-C, if the process that started this one is killed. */
function stopWithParent(): void {
  if (process.connected === false) process.exit(143); // it was killed before this line
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
}

/** Analyzes what the folder holds, and writes and prints the report. */
async function report({ out, open }: CompareValues) {
  const { analyze, embedAnswers, reportFiles, reportPage } = await import('@rarefy/analysis');
  const { hashEmbedder } = await import('@rarefy/embedders/hash');
  const { readExperiment, recordLook } = await import('@rarefy/experiment');
  const { writeAtomically } = await import('@rarefy/io');
  const read = await readExperiment(out);
  const { plan, record } = read;
  const embeddings = await embedAnswers(record, hashEmbedder()); // hashed words: the same report without a model
  const { versions, backend } = record.runs[0]?.config ?? {};
  const environment = { ...versions, ...(backend && { backend: `${backend.name} on ${backend.device}` }) };
  const commands = [plan.command, commandLine(['compare', '--report', '--out', out])];
  const analyzed = analyze({ ...read, embeddings, commands, environment });
  const files = { 'report.html': reportPage(analyzed), ...reportFiles(analyzed) };
  for (const [name, content] of Object.entries(files)) await writeAtomically(join(out, name), Buffer.from(content));
  await recordLook(out, record.runs.length, plan.arms.length * plan.seeds.length);
  await printReport(analyzed);
  for (const name of Object.keys(files)) console.log(join(out, name));
  if (open) await openPage(join(out, 'report.html'));
}

async function printReport(report: ExperimentReport) {
  const { primaryTable, rareDrawsTable } = await import('@rarefy/analysis');
  const { headline, findings, limits } = report.verdict;
  const listed = (title: string, sentences: readonly string[]) =>
    sentences.length === 0 ? [] : ['', title, ...sentences.flatMap((sentence) => wrapped(`- ${sentence}`, 100))];
  const tables = [
    ...['', report.plan.primary, table(primaryTable(report))],
    ...['', 'share of the draws that went to the rarest tenth of the prompts, by', table(rareDrawsTable(report)), ''],
  ];
  const text = ['', ...wrapped(headline, 100), ...listed('Found', findings), ...listed('Not shown', limits), ...tables];
  console.log(text.join('\n'));
}

/** Prints what more runs could find of the planned measures. */
async function printPower(out: string) {
  const { powerTable } = await import('@rarefy/analysis');
  const { readFile } = await import('node:fs/promises');
  const file = join(out, 'report.json');
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new InputError(`${file} is no report of a pilot; run one first, with at least 2 seeds.`, { cause });
  });
  const pilot = JSON.parse(text) as ExperimentReport;
  console.log(`Smallest difference found with a power of ${pilot.plan.power}, by runs per arm:\n`);
  console.log(table(powerTable(pilot)));
}

/** Bytes of a size such as 8GB. */
function parseSize(size: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([MGT])B$/i.exec(size) ?? [];
  if (unit === undefined) throw new InvalidArgumentError(`--memory must be a size such as 8GB or 500MB; got ${size}.`);
  return Number(number) * { M: 1e6, G: 1e9, T: 1e12 }[unit.toUpperCase() as 'M' | 'G' | 'T'];
}
