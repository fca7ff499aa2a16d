import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import * as core from '@rarefy/core';
import { runChecks, suites } from '@rarefy/testing';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findSubject } from '../packages/cli/src/open/check-subject.js';
import { errorClasses, errorsPage } from './support/errors-page.js';
import { type CodeBlock, codeBlocks, headingAnchors, links } from './support/markdown.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const markdownIn = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const guides = ['README.md', 'docs/errors.md', ...markdownIn('docs/guide')];
const records = markdownIn('docs/decisions').filter((path) => !path.endsWith('README.md'));
const glossary = 'docs/glossary.md';
const documents = [
  ...guides,
  ...records,
  'docs/decisions/README.md',
  glossary,
  'CONTRIBUTING.md',
  'examples/data/README.md',
];
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const blocks = guides.flatMap((path) => codeBlocks(path, read(path)));
const included = blocks.filter(({ include }) => include !== undefined); // type-checked and tested as files of their own
const programs = blocks.filter(({ language, include }) => language === 'ts' && include === undefined);

/** Each block of TypeScript gets a file below the root, where it resolves packages like any file of the workspace. */
let folder: string;
const fileOf = ({ path, line }: CodeBlock) => join(folder, `${path.replaceAll('/', '-')}-line-${line}.ts`);
beforeAll(() => {
  mkdirSync(join(root, '.vitest'), { recursive: true });
  folder = mkdtempSync(join(root, '.vitest', 'docs-'));
  // Blank lines precede the code, so that an error has the line number of the document.
  for (const block of programs) writeFileSync(fileOf(block), '\n'.repeat(block.line) + block.code);
  symlinkSync(join(root, 'examples'), join(folder, 'examples'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('every block of TypeScript type-checks', () => {
  expect(programs.length).toBeGreaterThan(0);
  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), (path) => readFileSync(path, 'utf8'));
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const program = ts.createProgram(programs.map(fileOf), options);
  const diagnostics = programs.flatMap((block) => {
    const file = program.getSourceFile(fileOf(block))!;
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  });
  const wrong = diagnostics.map(({ file, start, messageText }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${file ? relative(folder, file.fileName) : ''}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
  expect(wrong).toEqual([]);
});

describe('a block that runs prints the text below it', () => {
  const cwd = process.cwd();
  beforeAll(() => process.chdir(folder));
  afterAll(() => process.chdir(cwd));

  const runnable = programs.filter(({ flags }) => flags.includes('run'));
  test.each(runnable.map((block) => [`${block.path}, line ${block.line}`, block] as const))('%s', async (_, block) => {
    const printed: string[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((...values) => void printed.push(format(...values)));
    // The AssemblyScript compiler, which runs when no wasm module is cached, fetches a `data:` URL; a block may run a server.
    const { fetch } = globalThis;
    const offline = vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => {
      if (/^(data:|http:\/\/127\.0\.0\.1:)/.test(String(input))) return fetch(input, init);
      return Promise.reject(new Error('documentation must run without a network'));
    });
    try {
      await import(/* @vite-ignore */ fileOf(block));
    } finally {
      log.mockRestore();
      offline.mockRestore();
    }
    const next = blocks[blocks.indexOf(block) + 1];
    const expected = next?.path === block.path && next.language === 'text' ? next.code : '';
    expect(printed.map((text) => `${text}\n`).join('')).toBe(expected);
  });
});

test.each(included.map((block) => [`${block.path}, line ${block.line}`, block] as const))(
  '%s equals the file that it includes',
  (_, { include, code }) => expect(code).toBe(read(include!)),
);

test.each(documents)('links of %s have targets', (path) => {
  for (const { target, line } of links(read(path))) {
    if (/^https?:/.test(target)) continue;
    const [file = '', anchor] = target.split('#');
    const linked = file === '' ? path : relative(root, join(root, dirname(path), file));
    expect(existsSync(join(root, linked)), `line ${line}: ${target}`).toBe(true);
    if (anchor !== undefined) expect(headingAnchors(read(linked)), `line ${line}: ${target}`).toContain(anchor);
  }
});

test('every guide, decision and the glossary is linked from its index, and decisions are short', () => {
  const targets = (path: string) => links(read(path)).map(({ target }) => join(dirname(path), target));
  for (const guide of markdownIn('docs/guide')) expect(targets('README.md')).toContain(guide);
  for (const index of ['README.md', 'CONTRIBUTING.md']) expect(targets(index)).toContain(glossary);
  for (const record of records) {
    expect(targets('docs/decisions/README.md')).toContain(record);
    expect(read(record).trimEnd().split('\n').length, record).toBeLessThanOrEqual(45);
  }
});

test('the glossary defines each word once', () => {
  const words = [...read(glossary).matchAll(/^\| (?!word |-)([^|]+?) +\|/gm)].map(([, word]) => word!);
  expect(words.length).toBeGreaterThan(50);
  expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([]);
});

test('the page of errors has a heading with cause and remedy for each error class of core, and no other', async () => {
  const classes = errorClasses(read('packages/core/src/errors.ts'));
  const exported = Object.values(core).filter((value) => typeof value === 'function' && 'isInstance' in value);
  const named = exported.map((type) => [(type as { name: string }).name, (type as unknown as { code: string }).code]);
  expect(classes.map(({ name, code }) => [name, code]).sort()).toEqual(named.sort());
  const [introduction] = read('docs/errors.md').split(/^## /m);
  await expect(errorsPage(introduction!.trimEnd().concat('\n'), classes)).toMatchFileSnapshot('../docs/errors.md');
});

const componentKinds = ['embedder', 'neighbor-index', 'density-estimator', 'sampler', 'projector', 'exporter'];

describe.each(componentKinds)('the guide to a custom %s', (kind) => {
  const path = `docs/guide/custom-${kind}.md`;
  const [component, check] = included.filter((block) => block.path === path);

  test('shows 15 to 60 lines of code that its test checks', () => {
    const lines = component!.code.trimEnd().split('\n').length;
    expect(lines).toBeGreaterThanOrEqual(15);
    expect(lines).toBeLessThanOrEqual(60);
    expect(check!.include).toBe(component!.include!.replace('.ts', '.test.ts'));
    const suite = kind.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    expect(check!.code).toContain(`${suite}Checks(`);
  });

  test('shows a component that passes `rarefy check`', async () => {
    const file = join(root, component!.include!);
    const found = await findSubject({ exports: await import(file), digest: '' }, file, {});
    expect(found.kind).toBe(kind);
    const { results, passed } = await runChecks(suites[found.kind](found.subject as never));
    expect(results.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(passed).toBeGreaterThan(10);
  });

  test('names every member of the interface', () => {
    const { members, capabilities } = membersOf(kind);
    const text = read(path);
    for (const name of members) expect(text, name).toMatch(new RegExp(`^\\|.*\`\\[?${name}\\b`, 'm'));
    for (const name of capabilities) expect(text).toContain(`| \`capabilities.${name}\` `);
  });
});

describe.each([
  ['loader', 'loaderChecks'],
  ['logger', 'loggerChecks'],
])('the guide to a custom %s', (name, suite) => {
  const path = `docs/guide/custom-${name}.md`;
  const [component, check] = included.filter((block) => block.path === path);

  test('shows 15 to 60 lines of code that its test checks', () => {
    const lines = component!.code.trimEnd().split('\n').length;
    expect(lines).toBeGreaterThanOrEqual(15);
    expect(lines).toBeLessThanOrEqual(60);
    expect(check!.include).toBe(component!.include!.replace('.ts', '.test.ts'));
    expect(check!.code).toContain(`${suite}(`);
  });

  test('names every member of the interface', () => {
    const source = read('packages/core/src/spec/training.ts');
    const interfaces = name === 'loader' ? ['LoadedBatch', 'Loader'] : ['MetricLogger'];
    for (const wanted of interfaces) {
      const body = new RegExp(`^export interface ${wanted}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(source)![1]!;
      const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, member]) => member!);
      expect(members.length).toBeGreaterThan(1);
      for (const member of members) expect(read(path), member).toMatch(new RegExp(`^\\|.*\`${member}\\b`, 'm'));
    }
  });
});

test('the README names every package and every command', () => {
  const text = read('README.md');
  for (const name of readdirSync(join(root, 'packages'))) {
    const { name: published } = JSON.parse(read(join('packages', name, 'package.json'))) as { name: string };
    expect(text).toContain(`| [\`${published}\`](packages/${name}) `);
  }
  for (const name of commandNames()) expect(text).toContain(`| \`rarefy ${name}\` `);
});

describe('command lines in the documentation', () => {
  const lines = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ path, line, code }) =>
      code
        .split('\n')
        .filter((text) => text.startsWith('rarefy '))
        .map((text) => [path, line, text] as const),
    );

  test('every command has an example in its guide', () => {
    const examples = lines.filter(([path]) => path === 'docs/guide/command-line.md').map(([, , text]) => `${text} `);
    for (const name of commandNames())
      expect(examples).toContainEqual(expect.stringMatching(new RegExp(`^rarefy ${name} `)));
  });

  test.each(commandNames())('the guide names every option of rarefy %s', async (name) => {
    const text = read('docs/guide/command-line.md');
    const { args = {} } = await commandNamed(name);
    for (const [option, { type }] of Object.entries(args as Record<string, { type: string }>)) {
      if (type !== 'positional') expect(text, `--${option}`).toMatch(new RegExp(`--${option}(?![\\w-])`));
    }
  });

  test.each(lines)('%s, line %i: %s', async (_path, _line, text) => {
    const [, ...words] = text.split(/\s+/);
    // After the name of the command come positional arguments and options.
    const name = [words.slice(0, 2).join(' '), words[0]!].find((start) => commandNames().includes(start))!;
    const { args = {} } = await commandNamed(name);
    const known = args as Record<string, { type: string; required?: boolean; options?: readonly string[] }>;
    for (const [option, { type, required }] of Object.entries(known)) {
      if (required && type !== 'positional') expect(words).toContain(`--${option}`);
    }
    for (const [index, word] of words.entries()) {
      if (!word.startsWith('--')) continue;
      const definition = known[word.slice(2)];
      expect(definition, `${word} of rarefy ${name}`).toBeDefined();
      if (definition?.options) expect(definition.options).toContain(words[index + 1]);
    }
  });
});

const commandFolder = join(root, 'packages/cli/src/commands');
/** Commands that only group others. */
const groups = ['train.ts', 'models.ts'];

/** The commands that can be run: `prompts`, `train grpo`, … */
function commandNames(): string[] {
  const files = readdirSync(commandFolder).filter((name) => !name.endsWith('.test.ts') && !groups.includes(name));
  return files.map((name) => name.replace('.ts', '').replace('-', ' '));
}

async function commandNamed(name: string): Promise<{ args?: unknown }> {
  const module: Record<string, { args?: unknown }> = await import(
    /* @vite-ignore */ join(commandFolder, `${name.replace(' ', '-')}.ts`)
  );
  return Object.values(module)[0]!;
}

/** Members of the interface of a kind of component besides those of every component, and its capabilities, from the sources. */
function membersOf(kind: string) {
  const text = read(`packages/core/src/spec/${kind.replace('-estimator', '')}.ts`);
  const bodies = [...text.matchAll(/^export interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)];
  const body = (matches: (name: string) => boolean) => bodies.find(([, name]) => matches(name!))![2]!;
  const names = (of: string) => [...of.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, name]) => name!);
  const suite = kind.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
  return {
    members: names(body((name) => name === suite)),
    capabilities: names(body((name) => /Capabilities$/.test(name))),
  };
}
