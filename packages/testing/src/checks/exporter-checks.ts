import { described, type EmbeddingView, type Exporter, RarefyError } from '@rarefy/core';
import type { Check } from '../check.js';
import { type ComponentForm, componentChecks } from '../component-checks.js';
import { ensure, ensureFailsOr, ensureFailsWith, ensureMethods, ensureTyped } from '../ensure.js';
import { needed } from '../subject-members.js';
import type { ExportedFiles, ExporterSubject } from '../subjects.js';
import { hostilePrompts, textInspections } from './exported-text.js';
import { ensureSameView, viewOf } from './exported-view.js';
import {
  leavesInputUnchanged,
  type MainCall,
  rejectsIfAborted,
  rejectsIfAbortedMidway,
  repeatsResults,
} from './life-checks.js';

/** Texts that a format must escape and not normalize, beside the hostile ones. */
const plainPrompts = [
  'Why is the sky blue?',
  'Hi',
  'größer 長い 👩‍👩‍👧‍👦 e\u0301',
  ' "a" \\"b\\" C:\\new\\',
  '  at both ends  ',
];

const mostPoints = 2_000_000; // a larger maxPoints is not tried

const exportView: MainCall<Exporter, EmbeddingView> = {
  method: 'export',
  ready: (create) => create(),
  inputs: () => [viewOf(hostilePrompts), viewOf(['a', 'b', 'c'])],
  call: async (exporter, view, signal) => Object.fromEntries(await files(exporter, view, signal)),
};

const form: ComponentForm<Exporter> = {
  methods: ['export'],
  async results(exporter) {
    const exported = exporter.export(viewOf(['a', 'b', 'c']));
    ensureMethods(exported, [Symbol.asyncIterator], 'the result of export');
    for await (const file of exported) {
      ensureMethods(file, [], 'an exported file');
      ensure(typeof file.path === 'string', `expected the path of a file to be a text, got ${described(file.path)}`);
      ensureTyped(file.bytes, 'Uint8Array', `bytes of the file ${file.path}`);
    }
  },
};

/** An HTML attribute or CSS rule that loads something over the network. */
const outsideReference =
  /\b(?:src|srcset|href|data|poster|action)\s*=\s*["']?\s*(?:https?:)?\/\/|url\(\s*["']?(?:https?:)?\/\/|@import/i;

/** The checks of every exporter. Views have the columns `source` (category), `density` (number) and `prompt` (text). */
export function exporterChecks(subject: ExporterSubject): Check[] {
  const { read } = subject;
  return componentChecks('exporter', subject, form, [
    {
      name: 'writes files inside its folder',
      why: 'A path that leaves the folder could overwrite other files.',
      async run({ create }) {
        const exporter = await create();
        const seen = new Set<string>();
        for await (const { path, bytes } of exporter.export(viewOf(['a', 'b', 'c']))) {
          const isOutside = path === '' || /^[/\\]|^[a-z]:|\\|(^|\/)\.\.(\/|$)/i.test(path);
          ensure(!isOutside, `expected a relative path inside the folder, got ${JSON.stringify(path)}`);
          ensure(!seen.has(path), `the file ${path} is written twice`);
          ensure(bytes.length > 0, `the file ${path} is empty`);
          seen.add(path);
        }
        const { extension } = exporter.capabilities;
        ensure(extension.startsWith('.'), `the extension must start with a dot, got ${JSON.stringify(extension)}`);
        const hasExtension = [...seen].some((path) => path.endsWith(extension));
        ensure(hasExtension, `expected a file that ends in ${extension}, got [${[...seen]}]`);
      },
    },
    {
      name: 'writes files that read back as the same view',
      why: 'A point under the name of another prompt is worse than a missing one.',
      requires: { capability: needed('exporter', 'read'), met: () => read !== undefined },
      async run({ create }) {
        for (const dimensions of [2, 3] as const) {
          for (const prompts of [plainPrompts, hostilePrompts]) {
            const view = viewOf(prompts, dimensions);
            ensureSameView(await read!(await files(await create(), view)), view);
          }
        }
      },
    },
    {
      name: 'keeps hostile prompts plain text',
      why: 'Prompts come from strangers, and some are written to run when they are shown.',
      requires: {
        capability: `a media type of ${Object.keys(textInspections).join(', ')}`,
        met: ({ capabilities }) => Object.hasOwn(textInspections, capabilities.mediaType),
      },
      async run({ create }) {
        const exporter = await create();
        const { extension, mediaType } = exporter.capabilities;
        for (const [path, bytes] of await files(exporter, viewOf(hostilePrompts))) {
          if (!path.endsWith(extension)) continue;
          const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
          textInspections[mediaType]!(text, hostilePrompts.length);
        }
      },
    },
    {
      name: 'writes a page that makes no request',
      why: 'Prompts can be secret, and a page that loads a font tells a server that it was opened.',
      requires: { capability: 'HTML pages', met: ({ capabilities }) => capabilities.mediaType === 'text/html' },
      async run({ create }) {
        for (const [path, bytes] of await files(await create(), viewOf(['a', 'b']))) {
          const text = new TextDecoder().decode(bytes);
          const markup = text.replace(/(<script\b[^>]*>)[\s\S]*?<\/script>/gi, '$1');
          const found = outsideReference.exec(markup);
          ensure(found === null, `${path} loads something over the network: ${found?.[0]}`);
        }
      },
    },
    {
      name: 'rejects more points than it can show',
      why: 'Dropping points silently hides the very prompts that a user looks for.',
      requires: {
        capability: `a maxPoints of at most ${mostPoints}`,
        met: ({ capabilities }) => capabilities.maxPoints <= mostPoints,
      },
      async run({ create }) {
        const exporter = await create();
        const count = exporter.capabilities.maxPoints + 1;
        const view = viewOf(Array<string>(count).fill('p'));
        await ensureFailsWith(() => files(exporter, view), RarefyError, `${count} points`);
      },
    },
    {
      name: 'exports or rejects an empty view',
      why: 'A filter can leave no points, and the result must not be a broken file.',
      async run({ create }) {
        await ensureFailsOr(
          async () => files(await create(), viewOf([])),
          RarefyError,
          (written) => ensure(written.size > 0, 'an empty view gave neither a file nor an error'),
          'an empty view',
        );
      },
    },
    {
      name: 'rejects a view whose parts differ in length',
      why: 'A column that is one row short gives every point the color of another.',
      async run({ create }) {
        const view = viewOf(['a', 'b', 'c']);
        const density = { type: 'number', values: new Float32Array(2) } as const;
        for (const [what, bad] of [
          ['a layout with a missing row', { ...view, layout: viewOf(['a', 'b']).layout }],
          ['a column with a missing value', { ...view, columns: { ...view.columns, density } }],
        ] as const) {
          await ensureFailsWith(async () => files(await create(), bad), RarefyError, what);
        }
      },
    },
    repeatsResults(exportView),
    leavesInputUnchanged(exportView),
    rejectsIfAborted(exportView),
    rejectsIfAbortedMidway(exportView),
  ]);
}

async function files(exporter: Exporter, view: EmbeddingView, signal?: AbortSignal): Promise<ExportedFiles> {
  const written = new Map<string, Uint8Array>();
  for await (const { path, bytes } of exporter.export(view, { signal })) written.set(path, bytes);
  return written;
}
