import { createRequire } from 'node:module';
import { expect, test, vi } from 'vitest';
import { InvalidArgumentError, MissingDependencyError } from './errors.js';
import { importPeer, importPeers } from './import-peer.js';

const module = { answer: 42 };
const peer = { name: 'some-peer', range: '^2.0.0' };

async function failure(cause: unknown): Promise<MissingDependencyError> {
  const error: unknown = await importPeer({ ...peer, load: () => Promise.reject(cause) }).catch((thrown) => thrown);
  if (!MissingDependencyError.isInstance(error)) throw error;
  return error;
}

test('a module from the caller, or a function that returns it, is used without an import', async () => {
  const load = vi.fn();
  expect(await importPeer({ ...peer, lib: module, load })).toBe(module);
  expect(await importPeer({ ...peer, lib: () => module, load })).toBe(module);
  expect(await importPeer({ ...peer, lib: async () => module, load })).toBe(module);
  expect(load).not.toHaveBeenCalled();
  expect(await importPeer({ ...peer, lib: undefined, load: async () => module })).toBe(module);
});

test('the error for a library that is not installed has the install command', async () => {
  const name = 'rarefy-test-no-such-library';
  const error: unknown = await importPeer({ ...peer, name, load: () => import(/* @vite-ignore */ name) }).catch(
    (e) => e,
  );
  expect(MissingDependencyError.isInstance(error)).toBe(true);
  expect(error).toMatchObject({
    message: `${name} is not installed. Install it: npm install ${name}@^2.0.0`,
    dependency: name,
    fix: `Install it: npm install ${name}@^2.0.0`,
    cause: { code: 'ERR_MODULE_NOT_FOUND' },
  });
});

test('the error for a library that does not load has the cause, also if one of its dependencies is not installed', async () => {
  const coded = (message: string, code: string) => Object.assign(new Error(message), { code });
  const causes = [
    coded('libcudart.so.11: cannot open shared object file.\nmore', 'ERR_DLOPEN_FAILED'),
    coded(
      "Cannot find package 'some-peer-runtime' imported from /app/node_modules/some-peer/index.js",
      'ERR_MODULE_NOT_FOUND',
    ),
    new TypeError('util.isNullOrUndefined is not a function'),
    new Error('Could not find it at /a/b.node. :\n'),
  ];
  for (const cause of causes) {
    const { message, cause: kept } = await failure(cause);
    expect(message).toMatch(/^some-peer is installed but does not load: [^\n]+[^\s.:]\. Reinstall it/);
    expect(message).toContain(/[^\n]*[^\s.:]/.exec(cause.message)![0]);
    expect(kept).toBe(cause);
  }
  expect((await failure(undefined)).message).toContain('does not load: undefined');
  expect((await failure(coded("Cannot find module 'some-peer'\nRequire stack:", 'MODULE_NOT_FOUND'))).fix).toContain(
    'npm install',
  );
});

test('several libraries: one error names all that are not installed, and it comes before one that does not load', async () => {
  const absent = (name: string, range: string) => ({ name, range, load: () => import(/* @vite-ignore */ name) });
  const broken = { name: 'broken-peer', range: '^3.0.0', load: () => Promise.reject(new Error('no addon')) };
  const found = { ...peer, load: async () => module };
  const given = { ...peer, lib: () => ({ version: '7' }), load: vi.fn() };
  const missing = [absent('rarefy-test-absent-a', '^1.0.0'), absent('rarefy-test-absent-b', '^2.0.0')] as const;

  const modules = await importPeers([found, given]);
  expect(modules).toEqual([module, { version: '7' }]);
  expect(modules[1].version).toBe('7');
  await expect(importPeers([found, broken, ...missing])).rejects.toMatchObject({
    message:
      'rarefy-test-absent-a and rarefy-test-absent-b are not installed. Install them: npm install rarefy-test-absent-a@^1.0.0 rarefy-test-absent-b@^2.0.0',
    dependency: 'rarefy-test-absent-a rarefy-test-absent-b',
  });
  await expect(importPeers([found, broken])).rejects.toMatchObject({
    dependency: 'broken-peer',
    message: expect.stringMatching(/^broken-peer is installed but does not load: no addon\. .*npm rebuild broken-peer/),
  });
});

test('a path inside a library that is not installed counts as not installed', async () => {
  const name = 'rarefy-test-no-such-library';
  const load = async () => createRequire(import.meta.url)(`${name}/package.json`) as object;
  await expect(importPeer({ ...peer, name, load })).rejects.toThrow(`${name} is not installed.`);
});

test('what a function that returns the module throws reaches the caller', async () => {
  const reason = new Error('no network');
  await expect(importPeer({ ...peer, lib: () => Promise.reject(reason), load: vi.fn() })).rejects.toBe(reason);
});

test('another module than the library is refused', async () => {
  const load = vi.fn(async () => module);
  const use = (lib: unknown) => importPeer({ ...peer, lib: lib as typeof module, load, uses: ['answer'] });
  expect(await use(module)).toBe(module);
  for (const [lib, seen] of [
    [{}, 'an object without answer'],
    [() => ({ default: 1 }), 'an object without answer'],
    ['some-peer', 'a string'],
    [async () => 7, 'a number'],
    [null, 'null'],
  ]) {
    await expect(use(lib)).rejects.toThrow(
      new InvalidArgumentError(
        `the module given for some-peer is ${seen}; give what \`await import('some-peer')\` returns, or leave the option out`,
      ),
    );
  }
  expect(load).not.toHaveBeenCalled();
});
