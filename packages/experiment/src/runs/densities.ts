import { type CallOptions, collect, type Embedder, embedStream, type Matrix } from '@rarefy/core';
import { weighPrompts } from '@rarefy/density';
import { fileExists, writeJsonl } from '@rarefy/io';
import type { Experiment } from '../experiment/experiment.js';
import { densityName, densityNames, densityOf } from '../experiment/shared-settings.js';
import { experimentPaths as paths, writeValues } from './experiment-files.js';

/**
 * Writes the held-out prompts, the densities that arms use, those of held-out prompts, and what the rarity checks say, each unless
 * its file is there. Afterwards, nothing but these files is needed to sample and to verify draws.
 */
export async function writeDensities(experiment: Experiment, folder: string, options: CallOptions = {}): Promise<void> {
  const { prompts, heldOut, estimators = {}, embedders, rarities } = experiment;
  const ids = prompts.map(({ id }) => id);
  const quiet = { ...options, onEvent: () => {} }; // warnings about weights that no arm has
  const missing = async (path: string) => !(await fileExists(path));
  if (await missing(paths.heldOut(folder))) await writeJsonl(paths.heldOut(folder), heldOut);

  const rowsOf = embeddedRows(experiment, options);
  for (const name of densityNames(experiment)) {
    const path = paths.density(folder, name);
    const isDefault = name === densityName(experiment);
    const heldOutPath = paths.heldOutDensity(folder);
    if (!(await missing(path)) && !(isDefault && (await missing(heldOutPath)))) continue;
    const arm = [{}, ...experiment.arms].find((one) => densityName(experiment, one) === name)!;
    const chosen = densityOf(experiment, arm);
    const rows = await rowsOf(chosen.embedder, embedders[chosen.embedder]!);
    const estimator = estimators[chosen.estimator]!;
    const { density } = await weighPrompts(firstRows(rows, prompts.length), { estimator, ...quiet });
    await writeValues(path, ids, density);
    if (!isDefault) continue;
    const joint = (await weighPrompts(rows, { estimator, ...quiet })).density.subarray(prompts.length);
    await writeValues(
      heldOutPath,
      heldOut.map(({ id }) => id),
      joint,
    );
  }

  for (const [name, check] of Object.entries(rarities)) {
    const path = paths.commonness(folder, name);
    if (!(await missing(path))) continue;
    if ('labels' in check) {
      const counts = new Map<string, number>();
      for (const label of check.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
      await writeValues(
        path,
        ids,
        check.labels.map((label) => counts.get(label)!),
      );
    } else {
      const rows = firstRows(await rowsOf(`rarity ${name}`, check.embedder), prompts.length);
      await writeValues(
        path,
        ids,
        (await weighPrompts(rows, { estimator: Object.values(estimators)[0]!, ...quiet })).density,
      );
    }
  }
}

/** Embeds all prompts, the held-out ones last, once per embedder. */
function embeddedRows({ prompts, heldOut }: Experiment, { signal, onEvent }: CallOptions) {
  const kept = new Map<string, Matrix>();
  return async (name: string, open: () => Promise<Embedder>): Promise<Matrix> => {
    const known = kept.get(name);
    if (known) return known;
    await using embedder = await open();
    const texts = [...prompts, ...heldOut].map(({ prompt }) => prompt);
    const rows = await collect(embedStream(embedder, texts, { batchSize: 32, total: texts.length, signal, onEvent }));
    kept.set(name, rows);
    return rows;
  };
}

function firstRows({ data, cols }: Matrix, rows: number): Matrix {
  return { data: data.subarray(0, rows * cols), rows, cols };
}
