import { expect, test } from 'vitest';
import { circles, folderCircles, type Graph } from './circles.js';

const graph = (edges: Record<string, readonly string[]>): Graph =>
  new Map(Object.entries(edges).map(([from, to]) => [from, new Set(to)]));

test('finds no circle where imports go one way', () => {
  const files = graph({ 'a.ts': ['b/c.ts', 'd.ts'], 'b/c.ts': ['d.ts'], 'd.ts': [] });
  expect(circles(files)).toEqual([]);
  expect(folderCircles(files)).toEqual([]);
});

test('finds a planted circle of files, whatever its length', () => {
  const files = graph({ 'a.ts': ['b.ts'], 'b.ts': ['c.ts'], 'c.ts': ['a.ts', 'd.ts'], 'd.ts': [] });
  expect(circles(files)).toEqual([['a.ts', 'b.ts', 'c.ts', 'a.ts']]);
  expect(circles(graph({ 'a.ts': ['a.ts'] }))).toEqual([['a.ts', 'a.ts']]);
});

test('finds a planted circle of folders whose files form none', () => {
  const files = graph({
    'exact/join.ts': ['rows/block.ts'],
    'rows/block.ts': [],
    'rows/check.ts': ['exact/limits.ts'],
    'exact/limits.ts': [],
  });
  expect(circles(files)).toEqual([]);
  expect(folderCircles(files)).toEqual([['exact', 'rows', 'exact']]);
});

test('finds a circle of nested folders, and one between a folder and a file beside it', () => {
  const nested = graph({ 'a/b/x.ts': ['a/c/y.ts'], 'a/c/y.ts': [], 'a/c/z.ts': ['a/b/x.ts'] });
  expect(folderCircles(nested)).toEqual([['a/b', 'a/c', 'a/b']]);
  const beside = graph({ 'exact.ts': ['exact/join.ts'], 'exact/join.ts': [], 'exact/test-data.ts': ['exact.ts'] });
  expect(folderCircles(beside)).toEqual([['exact', 'exact.ts', 'exact']]);
});
