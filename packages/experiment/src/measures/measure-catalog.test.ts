import { expect, test } from 'vitest';
import { measureCatalog, measureInfo, withControls } from './measure-catalog.js';

test('names are unique and labels say more than the name', () => {
  const names = measureCatalog.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, label } of measureCatalog) {
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(label.length, name).toBeGreaterThan(name.length - 6);
  }
});

test('every control exists', () => {
  for (const { name, controls } of measureCatalog) {
    for (const control of controls) expect(measureInfo(control).name, name).not.toBe(name);
  }
});

test('a misspelled name is corrected', () => {
  expect(() => measureInfo('distinct-goood')).toThrow(
    'there is no measure "distinct-goood"; did you mean "distinct-good"?',
  );
  expect(() => measureInfo('vocabulary')).toThrow('the measures are distinct-good, good, on-topic');
});

test('a table with controls has the controls of controls too, in the order of the catalog', () => {
  const names = withControls(['vocabulary-ratio', 'kl']).map(({ name }) => name);
  expect(names).toEqual(['garbled', 'kl', 'words', 'terminated', 'vocabulary-ratio']);
  for (const { name } of measureCatalog) {
    const shown = withControls([name]);
    const present = new Set(shown.map((info) => info.name));
    for (const info of shown) for (const control of info.controls) expect(present.has(control)).toBe(true);
  }
  expect(() => withControls(['nothing'])).toThrow('there is no measure "nothing"');
});
