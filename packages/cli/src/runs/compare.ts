import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { type CallOptions, InputError, InvalidArgumentError, type Matrix, warn } from '@rarefy/core';
import type { Evaluation, Experiment, ExperimentReport } from '@rarefy/experiment';
import { openBackend } from '../open/backend.js';
import { flag, integer, text } from '../shell/define-option.js';
import { didYouMean } from '../shell/did-you-mean.js';
import { openPage } from '../shell/open-page.js';
import { defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { percent, table, wrapped } from '../shell/text.js';
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
  const { childProcesses, ensurePlan, runExperiment, trainRun } = await import('@rarefy/experiment');
  const memoryBytes = values.memory === undefined ? undefined : parseSize(values.memory);
  const backend = await openBackend(values.backend, options);
  const { experiment, code } = await openExperiment(values, given, folder, options);
  const script = process.argv[1] ?? '';
  const words = ['compare', ...rawArguments];
  const planned = { folder, code, command: commandLine(words), ...defined({ acceptChanges }) };
  const shared = { ...options, folder, code, backend, keepModels };
  if (only !== undefined) {
    const run = runNamed(only, experiment);
    stopWithParent();
    await ensurePlan(experiment, planned);
    await trainRun(experiment, { ...shared, ...run });
    return console.log(`${only} is complete in ${folder}`);
  }

  announce(experiment, folder);
  const startRun = childProcesses({ command: process.execPath, args: [...process.execArgv, script, ...words] });
  let isVerified = false;
  const limits =
    values.processes === undefined
      ? { processes: backend.device === 'gpu' ? 1 : availableParallelism(), memoryBytes: memoryBytes ?? freemem() }
      : { processes: values.processes, ...defined({ memoryBytes }) };
  try {
    await runExperiment(experiment, {
      ...{ ...shared, ...planned, ...limits },
      async startRun(run, call) {
        if (!isVerified) {
          isVerified = true;
          await warnOfTreatment(experiment, folder, options);
        }
        await startRun(run, call);
      },
    });
  } catch (error) {
    if (options.signal?.aborted) console.error('rarefy: the runs are saved; the same command continues them');
    throw error;
  }
  await report(values);
}

/** Warns before the first run if draws will not go to prompts that are rare by anything but the density of the sampler. */
async function warnOfTreatment(experiment: Experiment, folder: string, { onEvent }: CallOptions): Promise<void> {
  const { plannedTreatment, readExperiment } = await import('@rarefy/experiment');
  const { checks } = plannedTreatment(experiment, (await readExperiment(folder)).record);
  for (const { status, text } of checks) {
    if (status !== 'ok') warn(onEvent, { task: 'compare', code: 'treatment', message: text });
  }
}

/** @throws InvalidArgumentError for a run that the experiment does not have. */
function runNamed(only: string, { arms, seeds }: Experiment) {
  const names = arms.map(({ name }) => name);
  const [, arm, seed] = /^([^/]+)\/(\d+)$/.exec(only) ?? [];
  if (arm !== undefined && names.includes(arm) && seeds.includes(Number(seed))) return { arm, seed: Number(seed) };
  throw new InvalidArgumentError(
    `--only must be an arm and a seed, such as ${names[0]}/${seeds[0]}; got ${only}.${didYouMean(arm ?? only, names)} Seeds: ${seeds.join(', ')}.`,
  );
}

/** Saves the state and stops, as on Ctrl-C, if the process that started this one is killed. */
function stopWithParent(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
}

function commandLine(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ['rarefy', ...quoted].join(' ');
}

function announce(
  { name, arms, seeds, training, evaluation, heldOut, strata, primary, secondary, rarities }: Experiment,
  out: string,
) {
  const { steps, batchSize, groupSize } = training;
  const counts = strata.map((name) => `${heldOut.filter(({ stratum }) => stratum === name).length} ${name}`);
  if (seeds.length < 4) console.log(`${seeds.length} seeds per arm prove nothing: this is a trial.`);
  console.log(
    `${name}: ${arms.length} arms × ${seeds.length} seeds, ${steps} steps of ${batchSize} prompts × ${groupSize} answers`,
  );
  console.log(`Arms        ${arms.map(({ name }) => name).join(', ')}; the first is the baseline`);
  console.log(`Decided by  ${primary}; also ${secondary?.join(', ')}`);
  console.log(`Held out    ${counts.join(', ')} prompts, ${evaluation.answers} answers each`);
  console.log(`Plan        ${join(out, 'plan.json')}, draws verified by ${Object.keys(rarities).join(', ')}`);
}

/** Analyzes what the folder holds, and writes and prints the report. */
async function report({ out, open }: CompareValues) {
  const { analyze, readExperiment, recordLook, reportFiles, reportPage } = await import('@rarefy/experiment');
  const { writeAtomically } = await import('@rarefy/io');
  const read = await readExperiment(out);
  const { plan, record } = read;
  const embeddings = await hashedAnswers([record.start, ...record.runs.flatMap(({ evaluations }) => evaluations)]);
  const { versions, backend } = record.runs[0]?.config ?? {};
  const environment = { ...versions, ...(backend && { backend: `${backend.name} on ${backend.device}` }) };
  const commands = [plan.command, commandLine(['compare', '--report', '--out', out])];
  const analyzed = analyze({ ...read, embeddings, commands, environment });
  const files = { 'report.html': reportPage(analyzed), ...reportFiles(analyzed) };
  for (const [name, content] of Object.entries(files)) await writeAtomically(join(out, name), Buffer.from(content));
  await recordLook(out, record.runs.length, plan.arms.length * plan.seeds.length);
  printReport(analyzed);
  for (const name of Object.keys(files)) console.log(join(out, name));
  if (open) await openPage(join(out, 'report.html'));
}

/** Answers as rows of hashed words, for measures of their spread: the same without a model, and no sampler is driven by them. */
async function hashedAnswers(evaluations: readonly Evaluation[]) {
  const { embed } = await import('@rarefy/core');
  const { hashEmbedder } = await import('@rarefy/embedders/hash');
  const rows = new Map<Evaluation, Matrix>();
  for (const evaluation of evaluations) {
    rows.set(
      evaluation,
      await embed(
        hashEmbedder(),
        evaluation.answers.map(({ text }) => text),
      ),
    );
  }
  return (evaluation: Evaluation) => rows.get(evaluation)!;
}

function printReport({ plan, baseline, verdict, effects, draws, arms }: ExperimentReport) {
  const { headline, findings, limits } = verdict;
  const listed = (title: string, sentences: readonly string[]) =>
    sentences.length === 0 ? [] : ['', title, ...sentences.flatMap((sentence) => wrapped(`- ${sentence}`, 100))];
  const figure = (value: number | null) => (value === null ? '' : String(Number(value.toPrecision(3))));
  const rows = effects
    .filter(({ measure }) => measure === plan.primary)
    .map(({ arm, stratum, baselineMean, armMean, difference, interval, p, detectable }) => [
      ...[arm, stratum, figure(baselineMean), figure(armMean), figure(difference)],
      ...[interval.map(figure).join(' to '), figure(p), figure(detectable)],
    ]);
  const rarities = [...new Set(draws.map(({ rarity }) => rarity))];
  const share = (arm: string, by: string) => draws.find((one) => one.arm === arm && one.rarity === by)?.deciles[0];
  const shares = arms.map(({ arm: { name } }) => [name, ...rarities.map((by) => percent(share(name, by) ?? 0))]);
  const header = ['arm', 'stratum', baseline, 'arm', 'difference', '95 % interval', 'p', 'detectable'];
  console.log(
    [
      '',
      ...wrapped(headline, 100),
      ...listed('Found', findings),
      ...listed('Not shown', limits),
      '',
      plan.primary,
      table([header, ...rows]),
      '',
      'share of the draws that went to the rarest tenth of the prompts, by',
      table([['', ...rarities], ...shares]),
      '',
    ].join('\n'),
  );
}

/** Prints what more runs could find of the planned measures. */
async function printPower(out: string) {
  const { planPower } = await import('@rarefy/experiment');
  const { readFile } = await import('node:fs/promises');
  const file = join(out, 'report.json');
  const pilot = await readFile(file, 'utf8')
    .then((text) => JSON.parse(text) as ExperimentReport)
    .catch((cause: Error) => {
      throw new InputError(
        `${file} is no report of a pilot (${cause.message}); run the pilot first, with at least 2 seeds.`,
        { cause },
      );
    });
  const planned = [pilot.plan.primary, ...pilot.plan.secondary];
  const power = planPower(pilot, { powers: [pilot.plan.power] }).filter(({ measure }) => planned.includes(measure));
  const counts = power[0]?.detectable.map(({ runs }) => `${runs} runs`) ?? [];
  const shown = (difference: number | null) =>
    difference === null ? 'none' : String(Number(difference.toPrecision(2)));
  const rows = power.map(({ measure, mean, deviation, detectable }) => [
    ...[measure, mean.toPrecision(3), deviation.toPrecision(2)],
    ...detectable.map(({ difference }) => shown(difference)),
  ]);
  console.log(`Smallest difference found with a power of ${pilot.plan.power}, by runs per arm:\n`);
  console.log(table([['measure', 'mean', 'deviation of a run', ...counts], ...rows]));
}

/** Bytes of a size such as 8GB. */
function parseSize(size: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([MGT])B$/i.exec(size) ?? [];
  if (unit === undefined) throw new InvalidArgumentError(`--memory must be a size such as 8GB or 500MB; got ${size}.`);
  return Number(number) * { M: 1e6, G: 1e9, T: 1e12 }[unit.toUpperCase() as 'M' | 'G' | 'T'];
}
