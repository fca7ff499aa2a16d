import { InputError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { compileTemplate } from './render-template.js';

const date = new Date(0);

test.each([
  ["{{ 'a'.constructor.constructor('return process')() }}", 'not a function'],
  ["{{ range.constructor('return process')() }}", 'not a function'],
  ['{% for i in range(1000000000) %}x{% endfor %}', 'range has more than'],
  ['{% for i in range(0, 1, 0.0000001) %}x{% endfor %}', 'range takes integers'],
  ['{% for i in range(9000) %}{% for j in range(9000) %}x{% endfor %}{% endfor %}', 'takes more than 1000000 steps'],
  ["{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", 'is larger than'],
  [
    '{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}',
    'is larger than',
  ],
  ['{% set a = namespace() %}{% set b = namespace(b=a, c=a) %}{{ b }}', 'a namespace is inside another value'],
  ['{% set a = namespace() %}{% set a.b = [a, a] %}{{ a.b }}', 'a namespace is inside another value'],
  ['{% macro f(x) %}{{ caller() }}{{ f(x) }}{% endmacro %}{% call f(1) %}x{% endcall %}', 'failed'],
])('%s ends with an error', (template, message) => {
  expect(() => compileTemplate(template, date)({})).toThrow(InputError);
  expect(() => compileTemplate(template, date)({})).toThrow(message);
});

test('no object of JavaScript is in reach', () => {
  const render = compileTemplate(
    '{{ messages.constructor }}{{ messages.__proto__ }}{{ messages[0].constructor }}{{ "a".constructor }}{{ process }}{{ globalThis }}',
    date,
  );
  expect(render({ messages: [{ role: 'user', content: 'x' }] })).toBe('');
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  compileTemplate('{% set ns = namespace() %}{% set ns.__proto__ = {"polluted": 1} %}{{ ns.x }}', date)({});
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test('blocks take the white space around them, as in transformers', () => {
  expect(compileTemplate('a\n  {% if true %}\nb\n  {% endif %}\nc', date)({})).toBe('a\nb\nc');
  expect(compileTemplate('{{ range(3)|join(",") }} {{ range(5, 1, -2)|join(",") }}', date)({})).toBe('0,1,2 5,3');
});
