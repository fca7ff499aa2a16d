import fc from 'fast-check';
import { expect, test } from 'vitest';
import { depthOrder, pickPoint, projectPoint } from './point-geometry.js';

test('picks the disc under the pointer, the nearer of two, or none', () => {
  // Looks along -z from z = 5: w = 5 - z; a point at x = 1 and distance 5 is 20 pixels right of the center.
  const matrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, -1, 0, 0, 4, 5];
  const camera = { matrix, width: 200, height: 200, unit: 50 };
  const coordinates = Float32Array.of(0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 9);
  const sizes = Float32Array.of(1, 1, 1, 1);
  const visible = Uint8Array.of(1, 1, 1, 1);
  expect(projectPoint(coordinates, 2, camera)).toEqual({ x: 120, y: 100, distance: 5 });
  expect(projectPoint(coordinates, 3, camera)).toBeUndefined();
  const pick = (x: number, y: number) => pickPoint(coordinates, sizes, visible, camera, x, y);
  expect(pick(100, 100)).toBe(1);
  expect(pick(124, 100)).toBe(2);
  expect(pick(128, 100)).toBe(2); // 3 pixels from its edge
  expect(pick(130, 100)).toBe(-1);
  visible[1] = 0;
  expect(pick(100, 100)).toBe(0);
});

test('depthOrder sorts points from far to near and leaves out hidden points', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), fc.boolean()), { maxLength: 40 }),
      fc.constantFrom({ x: 1, y: 0, z: 0 }, { x: -0.5, y: 2, z: 1 }),
      (points, away) => {
        const coordinates = Float32Array.from(points.flatMap(([value]) => [value, value % 7, value % 3]));
        const depth = (i: number) =>
          coordinates[3 * i]! * away.x + coordinates[3 * i + 1]! * away.y + coordinates[3 * i + 2]! * away.z;
        const visible = Uint8Array.from(points, ([, shown]) => Number(shown));
        const order = new Uint32Array(points.length);
        const drawn = depthOrder(coordinates, visible, away, order);
        const expected = points
          .flatMap(([, shown], i) => (shown ? [i] : []))
          .sort((a, b) => depth(b) - depth(a) || a - b);
        expect([...order.subarray(0, drawn)]).toEqual(expected);
      },
    ),
  );
});
