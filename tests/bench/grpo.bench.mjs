import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { config, problem, promptLength, rows } from './grpo/problem.mjs';
import { findPeer } from './peers/python.mjs';

const rounds = 8;
const generations = 3; // after a first one, in which Node compiles
const prompts = [16, 128]; // tokens
const flatSteps = 20;

/**
 * CPU time of one GRPO step of gpt2 (4 layers, width 256, 8 rows of 128 tokens, vocabulary 8,192) on one thread: tfjs-node and
 * wasm, in turns with PyTorch, where RAREFY_PYTHON names a Python with torch. Then 128 new tokens after 16 and after 128 with
 * and without a cache, the tensors that 20 steps leave behind, and the peak memory of a step with and without recomputed
 * activations.
 */
export async function bench() {
  const peer = findPeer('grpo.py', 'torch');
  const workers = { 'tfjs-node': worker('node'), wasm: worker('wasm') };
  await peer.ask?.({ config, ...problem(), rows, promptLength });
  const least = {};
  const take = (name, ms) => {
    least[name] = Math.min(least[name] ?? Number.POSITIVE_INFINITY, ms);
  };
  for (let round = 0; round < rounds; round++) {
    for (const [name, { ask }] of Object.entries(workers)) take(name, (await ask({ what: 'step' })).ms);
    if (peer.ask) take('PyTorch', (await peer.ask({})).ms);
  }
  peer.end?.();
  const results = Object.keys(workers).map((name) => ({
    ...{ name: `one GRPO step, ${name}, CPU time`, value: least[name], unit: 'ms' },
    ...(peer.ask ? { against: 'PyTorch', ratio: least[name] / least.PyTorch } : { skipped: peer.reason }),
  }));
  for (const [name, { ask, end }] of Object.entries(workers)) {
    for (const promptTokens of prompts) {
      const ms = async (cache) => (await ask({ what: 'generate', cache, promptTokens })).ms;
      await ms(true);
      const cached = [];
      for (let round = 0; round < generations; round++) cached.push(await ms(true));
      const value = Math.min(...cached);
      results.push({
        ...{ name: `128 new tokens x ${rows} rows of ${promptTokens} with a cache, ${name}`, value, unit: 'ms' },
        ...{ against: 'without a cache', ratio: value / (await ms(false)) },
      });
    }
    const { before, after } = await ask({ what: 'tensors', steps: flatSteps });
    results.push({
      ...{ name: `tensors after ${flatSteps} steps, ${name}`, value: after, unit: '' },
      ...{ against: 'before', ratio: after / before },
    });
    end();
  }
  for (const [name, backend] of Object.entries({ 'tfjs-node': 'node', wasm: 'wasm' })) {
    // Processes of their own, because memory that was taken once stays.
    const [kept, again] = [await memoryOf(backend), await memoryOf(backend, 'recompute')];
    results.push({ name: `peak memory of a step, ${name}`, value: kept / 1e6, unit: 'MB' });
    results.push({
      ...{ name: `peak memory of a step, ${name}, recomputed`, value: again / 1e6, unit: 'MB' },
      ...{ against: 'with kept activations', ratio: again / kept },
    });
  }
  return results;
}

async function memoryOf(...args) {
  const { ask, end } = worker(...args);
  const { bytes } = await ask({ what: 'memory' });
  end();
  return bytes;
}

/** A process with one tfjs backend on one thread; see worker.mjs. */
function worker(backend, ...more) {
  const one = {
    OMP_NUM_THREADS: '1',
    TF_NUM_INTRAOP_THREADS: '1',
    TF_NUM_INTEROP_THREADS: '1',
    TF_CPP_MIN_LOG_LEVEL: '2',
  };
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('grpo/worker.mjs', import.meta.url)), backend, ...more],
    {
      ...{ stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...one } },
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the process with ${backend} ended; what it wrote stands above`);
    // tfjs writes hints to stdout when it loads.
    return value.startsWith('{') ? JSON.parse(value) : answer();
  };
  return {
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return answer();
    },
    end: () => child.stdin.end(),
  };
}
