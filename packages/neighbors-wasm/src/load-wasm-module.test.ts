import { expect, test } from 'vitest';
import { loadWasmModule } from './load-wasm-module.js';

test('a wasm module is compiled once for all callers', () => {
  expect(loadWasmModule('join')).toBe(loadWasmModule('join'));
});
