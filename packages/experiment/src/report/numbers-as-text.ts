/** Three significant digits, or `decimals` after the point, with a true minus; `none` for null. */
export function numberText(value: number | null | undefined, decimals?: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return 'none';
  const size = Math.abs(value);
  if (size < 1e-12) return '0'; // what rounding leaves of equal values
  const digits = decimals ?? Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(size))));
  const text = decimals === undefined && (size < 1e-4 || size >= 1e6) ? value.toExponential(1) : value.toFixed(digits);
  return text.replace(/-/g, '−');
}

/** With a sign, for differences. */
export const signedText = (value: number | null) =>
  value !== null && value > 0 ? `+${numberText(value)}` : numberText(value);

export const intervalText = ([lower, upper]: readonly [number, number]) =>
  `${signedText(lower)} to ${signedText(upper)}`;

export const percentText = (share: number, digits = 0) => `${(100 * share).toFixed(digits).replace('-', '−')} %`;

export function pText(p: number | null): string {
  if (p === null) return 'none';
  return p < 0.0001 ? '< 0.0001' : p.toFixed(p < 0.1 ? 4 : 2);
}
