import { exactNeighbors } from '@rarefy/neighbors/exact';
import { nnDescent } from '@rarefy/neighbors/nn-descent';
import { clustered, distinctRows, gaussian, real } from './neighbors/data.mjs';
import { startPeer } from './peers/python.mjs';
import { vocabularySpaceRows } from './vocabulary-space.mjs';

const rounds = 3;
const k = 20;

/**
 * Self-joins against faiss-cpu and scikit-learn, graphs against PyNNDescent, and vocabulary space against hidden size: CPU seconds
 * of whole calls, interleaved, the least of three rounds. Then the growth of time with the number of rows.
 */
export async function bench() {
  const peer = startPeer('neighbors.py');
  const results = [];
  const ask = (engine, data, count, metric, scored = count) =>
    peer?.ask({ engine, file: data.file, rows: data.points.rows, cols: data.points.cols, k: count, metric, scored });
  /** Measures ours and theirs, interleaved. */
  const compare = async (name, against, ours, theirs, times = rounds) => {
    let own = Number.POSITIVE_INFINITY;
    let other = Number.POSITIVE_INFINITY;
    let recalls = '';
    for (let round = 0; round < times; round++) {
      const their = await theirs();
      other = Math.min(other, their?.cpu ?? Number.POSITIVE_INFINITY);
      const { cpu, note } = await measured(ours);
      own = Math.min(own, cpu);
      recalls = `${note}${their?.recall === undefined ? '' : `, theirs ${their.recall.toFixed(4)}`}`;
    }
    const compared = Number.isFinite(other) ? { against, ratio: own / other } : {};
    results.push({ name: `${name}${recalls}`, value: own, unit: 'CPU s', ...compared });
  };

  const prompts = await real();
  const sets = [gaussian(20_000), clustered(20_000), ...(prompts ? [distinctRows(prompts, 20_000)] : [])];
  const engines = (await hasNative()) ? ['wasm', 'native'] : ['wasm'];
  for (const data of sets) {
    for (const engine of engines) {
      const name = `exact ${k} neighbors by dot, ${engine}, ${data.name}`;
      await compare(
        name,
        'faiss-cpu IndexFlatIP',
        () => exact(data, engine),
        () => ask('faiss', data, k, 'dot'),
      );
    }
  }
  await compare(
    `exact 10 neighbors by distance, wasm, ${sets[1].name}`,
    'scikit-learn brute force',
    () => exactNeighbors(sets[1].points, { k: 10, engine: 'wasm' }),
    () => ask('scikit-learn', sets[1], 10, 'euclidean'),
    1,
  );
  if (prompts) {
    for (const engine of engines) {
      const name = `exact ${k} neighbors by dot, ${engine}, ${prompts.name} with duplicates`;
      await compare(
        name,
        'faiss-cpu IndexFlatIP',
        () => exact(prompts, engine),
        () => ask('faiss', prompts, k, 'dot'),
        1,
      );
    }
    const graph = () => nnDescent(prompts.points, { k: 10, seed: 1 });
    // PyNNDescent's graphs of 16 and 11 neighbors include the row itself; both are scored by the 10 nearest.
    const name = `10-neighbor graph, ${prompts.name}, recall `;
    await compare(name, 'PyNNDescent, warm, 16 neighbors', graph, () =>
      ask('pynndescent', prompts, 15, 'euclidean', 10),
    );
    await compare(name, 'PyNNDescent, warm, 11 neighbors', graph, () => ask('pynndescent', prompts, 10, 'euclidean'));
  }
  peer?.end();

  for (const rows of [5_000, 20_000, 50_000, 100_000]) {
    const { points } = clustered(rows);
    const exactTime = await measured(() => exactNeighbors(points, { k: 10, engine: 'wasm' }));
    results.push({ name: `growth: exact, wasm, ${rows} clustered rows`, value: exactTime.cpu, unit: 'CPU s' });
    const graphTime = await measured(() => nnDescent(points, { k: 10, seed: 1 }));
    results.push({
      name: `growth: graph, ${rows} clustered rows, recall ${graphTime.note}`,
      value: graphTime.cpu,
      unit: 'CPU s',
    });
  }
  results.push(...(await vocabularySpaceRows({ prompts: 20_000 })));
  return results;

  async function exact({ points, name }, engine) {
    const answer = await exactNeighbors(points, { k, metric: 'dot', engine });
    if (answer.fullScans > 0) throw new Error(`${answer.fullScans} rows of ${name} were scanned in full`);
    return answer;
  }
}

/** CPU seconds of a call, including its worker threads, and the recall of its result. */
async function measured(run) {
  const before = process.cpuUsage();
  const { recall } = await run();
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1e6, note: recall === undefined ? '' : recall.value.toFixed(4) };
}

async function hasNative() {
  const points = { data: new Float32Array([0, 1, 2]), rows: 3, cols: 1 };
  return exactNeighbors(points, { k: 1, engine: 'native' }).then(
    () => true,
    () => false,
  );
}
