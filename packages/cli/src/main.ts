import { readFileSync } from 'node:fs';
import { defineCommand } from 'citty';
import { runCommandLine } from './shell/run-command-line.js';

// Silences TensorFlow's own start-up notices, before any backend loads.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const rarefy = defineCommand({
  meta: { name: 'rarefy', description: 'Make a training loop see rare prompts more often' },
  subCommands: {
    demo: () => import('./commands/demo.js').then(({ demo }) => demo),
    download: () => import('./commands/download.js').then(({ download }) => download),
    models: () => import('./commands/models.js').then(({ models }) => models),
    prompts: () => import('./commands/prompts.js').then(({ prompts }) => prompts),
    embed: () => import('./commands/embed.js').then(({ embed }) => embed),
    convert: () => import('./commands/convert.js').then(({ convert }) => convert),
    density: () => import('./commands/density.js').then(({ density }) => density),
    sample: () => import('./commands/sample.js').then(({ sample }) => sample),
    view: () => import('./commands/view.js').then(({ view }) => view),
    train: () => import('./commands/train.js').then(({ train }) => train),
    compare: () => import('./commands/compare.js').then(({ compare }) => compare),
    check: () => import('./commands/check.js').then(({ check }) => check),
    doctor: () => import('./commands/doctor.js').then(({ doctor }) => doctor),
  },
});

// A reader such as `head` can close the pipe early; the work continues.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await runCommandLine(rarefy, process.argv.slice(2), version);
