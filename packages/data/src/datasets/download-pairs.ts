import { basename, join } from 'node:path';
import { checkItemArray, checkOptions, InputError, InvalidArgumentError, startProgress } from '@rarefy/core';
import {
  BadLine,
  cacheFolder,
  fileExists,
  isSameFile,
  type JsonlStats,
  quoted,
  sha256File,
  writeAtomically,
  writeJsonl,
} from '@rarefy/io';
import { downloadFiles } from '../hub/download-files.js';
import { type HubOptions, hubOptionNames, openHub } from '../hub/hub.js';
import { type HubFile, isRepositoryName, listRepository } from '../hub/list-repository.js';
import { type Fields, toId, toMargin, toSource, toTopic } from '../records/fields.js';
import { type ColumnMap, columnNames, mappedPair, type Pair, type ToPair } from '../records/pairs.js';
import { pairSets } from './pair-sets.js';
import { readRows } from './read-rows.js';

export interface DownloadPairsOptions extends HubOptions {
  /** Which split of a data set that has both; default `train`. */
  readonly split?: 'train' | 'test' | 'all';
  /** Column names of local files, and of data sets that are not known by name. */
  readonly columns?: ColumnMap;
  /**
   * Selects the files whose path contains this text, of a data set that is not known by name; default: all jsonl, csv and parquet
   * files.
   */
  readonly files?: string | undefined;
  /** Maximum number of pairs per data set; default: all. */
  readonly limit?: number;
  /** `skip` (default): a row that is not a pair is skipped and counted. `stop`: it is an error. */
  readonly onBadLine?: 'stop' | 'skip';
}

const optionNames = [
  'split',
  'columns',
  'files',
  'limit',
  'onBadLine',
  ...hubOptionNames,
] satisfies (keyof DownloadPairsOptions)[];

/** Origin of the pairs of one data set, and counts of its rows. */
export interface PairsSource {
  /** Name on the hub, or path of a local file. */
  readonly dataset: string;
  readonly src: string;
  /** Commit on the hub, or SHA-256 of a local file. */
  readonly revision: string;
  readonly license: string;
  readonly files: readonly string[];
  readonly pairs: number;
  readonly skipped: JsonlStats['skipped'];
}

/** Content of `<file>.manifest.json` beside a file of pairs. */
export interface PairsManifest {
  readonly format: 'rarefy-pairs';
  readonly version: 1;
  readonly pairs: number;
  /** SHA-256 of the file of pairs. */
  readonly sha256: string;
  readonly sources: readonly PairsSource[];
}

interface Opened {
  readonly dataset: string;
  /** Source of rows that have none. */
  readonly src: string;
  readonly toPair: ToPair;
  readonly revision: string;
  readonly license: string;
  /** Names for the manifest, and paths on disk. */
  readonly files: readonly { readonly name: string; readonly path: string }[];
}

/**
 * Collects preference pairs into one JSON Lines file of `{ id, src, prompt, chosen, rejected }`, and writes a manifest beside it.
 * Downloads are cached, and continued by the next call. The file is written completely or not at all.
 *
 * The formats of Anthropic/hh-rlhf, HuggingFaceH4/ultrafeedback_binarized, stanfordnlp/SHP and PKU-Alignment/PKU-SafeRLHF are
 * known.
 * @param datasets names on the hub, or paths of local jsonl, csv or parquet files
 * @throws InvalidArgumentError if `datasets` is not an array, or `out` is one of the local files; InputError for a data set without
 * pairs, for one that cannot be read, with file and location, and for two rows with the same id; the signal's reason on abort.
 */
export async function downloadPairs(
  out: string,
  datasets: readonly string[],
  options: DownloadPairsOptions = {},
): Promise<PairsManifest> {
  checkOptions(options, optionNames, 'downloadPairs');
  checkOptions(options.columns, columnNames, 'columns of downloadPairs');
  checkItemArray(datasets, 'downloadPairs');
  const { signal } = options;
  if (datasets.length === 0) throw new InvalidArgumentError('give at least one data set');
  const opened: Opened[] = [];
  for (const dataset of datasets) opened.push(await open(dataset, out, options));
  const sources: PairsSource[] = [];
  const ids = new Map<string, string>();
  async function* pairs(): AsyncGenerator<Pair> {
    for (const source of opened) {
      const stats: JsonlStats = { records: 0, skipped: {} };
      for await (const pair of pairsOf(source, stats, options)) {
        const other = ids.get(pair.id);
        if (other !== undefined) {
          throw new InputError(
            `the id ${quoted(pair.id)} occurs in ${other} and again in ${source.dataset}; ids must be unique`,
          );
        }
        ids.set(pair.id, source.dataset);
        yield pair;
      }
      if (stats.records === 0)
        throw new InputError(`${source.dataset} has no pairs; check its columns: ${summary(stats.skipped)}`);
      const { dataset, src, revision, license, files } = source;
      const names = files.map(({ name }) => name);
      sources.push({ dataset, src, revision, license, files: names, pairs: stats.records, skipped: stats.skipped });
    }
  }
  const count = await writeJsonl(out, pairs(), { signal });
  const manifest = {
    format: 'rarefy-pairs',
    version: 1,
    pairs: count,
    sha256: await sha256File(out, { signal }),
    sources,
  } as const;
  await writeAtomically(`${out}.manifest.json`, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), { signal });
  return manifest;
}

const isTable = /\.(jsonl?|csv|parquet)(\.gz)?$/i;

async function open(dataset: string, out: string, options: DownloadPairsOptions): Promise<Opened> {
  if (await fileExists(dataset)) {
    if (await isSameFile(dataset, out)) {
      throw new InvalidArgumentError(`${out} is one of the data sets and would be overwritten; write to another file`);
    }
    const src = basename(dataset).replace(isTable, '');
    const file = { name: basename(dataset), path: dataset };
    const revision = await sha256File(dataset, { signal: options.signal });
    return { dataset, src, toPair: mappedPair(options.columns ?? {}), revision, license: 'unknown', files: [file] };
  }
  if (!isRepositoryName(dataset)) {
    throw new InputError(`${dataset} is neither a file nor the name of a data set on a hub, such as Anthropic/hh-rlhf`);
  }
  const repository = { type: 'dataset', name: dataset } as const;
  const hub = openHub(options);
  const { commit, license, files } = await listRepository(hub, repository, options.revision ?? 'main');
  const known = Object.hasOwn(pairSets, dataset) ? pairSets[dataset] : undefined;
  const wanted = files.filter(isWanted(known?.isFile, options)).sort((a, b) => (a.path < b.path ? -1 : 1));
  if (wanted.length === 0) {
    const some = files.slice(0, 10).map(({ path }) => path);
    throw new InputError(`${dataset} has no matching data files; it has ${some.join(', ')}`);
  }
  const folder = join(cacheFolder('data'), dataset.replace('/', '--'), commit);
  const paths = await downloadFiles(hub, repository, commit, wanted, folder, options);
  return {
    dataset,
    src: known?.src ?? dataset,
    toPair: known?.toPair ?? mappedPair(options.columns ?? {}),
    revision: commit,
    license,
    files: wanted.map(({ path }, index) => ({ name: path, path: paths[index]! })),
  };
}

function isWanted(
  isFile: ((path: string, split: 'train' | 'test') => boolean) | undefined,
  { split = 'train', files }: DownloadPairsOptions,
): (file: HubFile) => boolean {
  const splits = split === 'all' ? (['train', 'test'] as const) : ([split] as const);
  if (isFile) return ({ path }) => splits.some((name) => isFile(path, name));
  return ({ path }) => isTable.test(path) && path.includes(files ?? '');
}

/** Rows keep their own id; rows without one are numbered within their data set. */
async function* pairsOf(
  { dataset, src, toPair, files }: Opened,
  stats: JsonlStats,
  { signal, onEvent, limit = Number.POSITIVE_INFINITY, onBadLine = 'skip' }: DownloadPairsOptions,
): AsyncGenerator<Pair> {
  const task = 'normalize';
  const progress = startProgress(task, undefined, onEvent);
  let number = 0;
  for (const { name, path } of files) {
    for await (const { fields, location } of readRows(path, {
      signal,
      onBadLine,
      stats: { records: 0, skipped: stats.skipped },
    })) {
      if (stats.records >= limit) break;
      number++;
      try {
        yield { ...idAndSource(fields, src, number), ...toPair(fields), ...toTopic(fields), ...toMargin(fields) };
      } catch (error) {
        if (!(error instanceof BadLine)) throw error;
        if (onBadLine === 'stop') throw new InputError(`${dataset}, ${name}, ${location}: ${error.message}`);
        stats.skipped[error.reason] = (stats.skipped[error.reason] ?? 0) + 1;
        continue;
      }
      stats.records++;
      if (stats.records % 1000 === 0) progress.report(stats.records);
    }
  }
  if (Object.keys(stats.skipped).length > 0) {
    const message = `${dataset}: skipped rows that are not pairs: ${summary(stats.skipped)}`;
    onEvent?.({ type: 'work-warning', task, code: 'skipped-lines', message });
  }
  progress.end(stats.records);
}

function idAndSource(fields: Fields, src: string, number: number): Pick<Pair, 'id' | 'src'> {
  const own = (fields.src ?? null) === null ? src : toSource(fields);
  return { id: (fields.id ?? null) === null ? `${own}-${number}` : toId(fields, number), src: own };
}

function summary(skipped: JsonlStats['skipped']): string {
  return (
    Object.entries(skipped)
      .map(([reason, count]) => `${count} ${reason}`)
      .join(', ') || 'it is empty'
  );
}
