import { InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { chooseBackend } from './choose-backend.js';

const handlers = () => [...process.listeners('uncaughtException'), ...process.listeners('unhandledRejection')];
const handlersBefore = handlers(); // no backend is loaded yet

test('wasm adds no handler of errors, which would print a page of its code above every uncaught error', async () => {
  expect(await chooseBackend({ backend: 'wasm' })).toMatchObject({ name: 'wasm' });
  expect(handlers()).toEqual(handlersBefore);
});

test('the reason for a backend is plain words without paths, and the environment stays unchanged', async () => {
  const before = { ...process.env };
  const { name, reason } = await chooseBackend();
  expect(reason, name).toMatch(/^[\w ]+(; `rarefy doctor` explains)?$/);
  expect(await chooseBackend({ backend: 'cpu' })).toEqual({ name: 'cpu', device: 'cpu', reason: 'given by option' });
  expect({ ...process.env }).toEqual(before);
});

test('an unknown backend is refused', async () => {
  await expect(chooseBackend({ backend: 'webgl' })).rejects.toThrow(InvalidArgumentError);
});
