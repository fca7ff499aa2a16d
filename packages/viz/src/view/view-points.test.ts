import { expect, test } from 'vitest';
import { sourceColor } from './view-points.js';

test('there are 24 different colors, then the first again', () => {
  const colors = Array.from({ length: 24 }, (_, code) => sourceColor(code));
  expect(new Set(colors).size).toBe(24);
  for (const color of colors) expect(color).toMatch(/^#[0-9a-f]{6}$/);
  expect(sourceColor(24)).toBe(colors[0]);
});

test.each(['normal', 'deuteranopia', 'protanopia'] as const)(
  'the first 8 colors are distinct in %s vision',
  (vision) => {
    const seen = Array.from({ length: 8 }, (_, code) => simulate(sourceColor(code), vision));
    for (let a = 0; a < 8; a++) {
      for (let b = 0; b < a; b++)
        expect(Math.hypot(...seen[a]!.map((value, i) => value - seen[b]![i]!))).toBeGreaterThan(0.19);
    }
  },
);

/** Simulation by Machado, Oliveira and Fernandes (2009) at full severity, on linear light; returns sRGB in [0, 1]. */
function simulate(color: string, vision: 'normal' | 'deuteranopia' | 'protanopia'): number[] {
  const matrix = {
    normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
    protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  }[vision];
  const linear = [1, 3, 5].map((start) => (Number.parseInt(color.slice(start, start + 2), 16) / 255) ** 2.2);
  return [0, 1, 2].map((row) => {
    const light = linear.reduce((sum, value, column) => sum + value * matrix[row * 3 + column]!, 0);
    return Math.max(0, light) ** (1 / 2.2);
  });
}
