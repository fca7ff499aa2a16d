// `npm run bench -- samplers --json`: runs one benchmark on the built packages and prints one object,
// { machine, results: [{ name, value, unit, against?, ratio?, skipped? }] }, where ratio is ours / theirs,
// both measured in this run; skipped says why there is no comparison.
import { cpus, loadavg } from 'node:os';

const [name, ...flags] = process.argv.slice(2);
const benches = ['samplers', 'neighbors', 'density', 'embed', 'memory', 'grpo', 'reward-model', 'training-memory'];
if (!benches.includes(name) || flags.some((flag) => flag !== '--json')) {
  console.error(`usage: npm run bench -- NAME [--json], where NAME is one of: ${benches.join(', ')}`);
  process.exit(2);
}
const { bench } = await import(`./${name}.bench.mjs`);
const [{ model } = { model: 'unknown' }, ...others] = cpus();
const machine = { cpu: model, cores: others.length + 1, node: process.version, load: loadavg()[0] };
const results = await bench();
if (flags.includes('--json')) console.log(JSON.stringify({ machine, results }, null, 2));
else {
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.load.toFixed(1)}`);
  for (const { name: what, value, unit, against, ratio, skipped } of results) {
    const note = skipped === undefined ? '' : `   (${skipped})`;
    const compared = against === undefined ? note : `   ${ratio.toPrecision(3)} x ${against}`;
    console.log(`${what.padEnd(58)} ${value.toPrecision(3).padStart(9)} ${unit}${compared}`);
  }
}
