/** How the camera sees points, in CSS pixels. */
export interface Camera {
  /** From world to clip coordinates, column-major 4 x 4; w is the distance along the line of sight. */
  readonly matrix: readonly number[];
  readonly width: number;
  readonly height: number;
  /** Diameter of a point of size 1 at distance 1. */
  readonly unit: number;
}

/** Distance in pixels at which the pointer still hits a point. */
const slack = 4;

/**
 * The visible point under (x, y), or -1: among the points whose disc covers (x, y), the nearest to the viewer; otherwise the point
 * whose edge is closest, at most 4 pixels away. One pass over the points.
 * @param coordinates x, y and z of each point
 */
export function pickPoint(
  coordinates: Float32Array,
  sizes: Float32Array,
  visible: Uint8Array,
  camera: Camera,
  x: number,
  y: number,
): number {
  let found = -1;
  let bestGap = slack;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (let i = 0; i < visible.length; i++) {
    if (!visible[i]) continue;
    const seen = projectPoint(coordinates, i, camera);
    if (!seen) continue;
    const radius = (camera.unit * sizes[i]!) / seen.distance / 2;
    const gap = Math.max(0, Math.hypot(seen.x - x, seen.y - y) - radius);
    if (gap > bestGap || (gap === bestGap && seen.distance >= bestDistance)) continue;
    found = i;
    bestGap = gap;
    bestDistance = seen.distance;
  }
  return found;
}

/** Where point i is on the canvas and how far away, or undefined if it is behind the camera. */
export function projectPoint(
  coordinates: Float32Array,
  i: number,
  { matrix: m, width, height }: Camera,
): { x: number; y: number; distance: number } | undefined {
  const [px, py, pz] = [coordinates[3 * i]!, coordinates[3 * i + 1]!, coordinates[3 * i + 2]!];
  const distance = m[3]! * px + m[7]! * py + m[11]! * pz + m[15]!;
  if (distance <= 0) return undefined;
  const clipX = m[0]! * px + m[4]! * py + m[8]! * pz + m[12]!;
  const clipY = m[1]! * px + m[5]! * py + m[9]! * pz + m[13]!;
  return { x: ((clipX / distance + 1) / 2) * width, y: ((1 - clipY / distance) / 2) * height, distance };
}

const bins = 65_536;

/**
 * Orders the visible points from the farthest to the nearest, so that transparent points blend correctly: a counting sort over
 * 65,536 depths, in O(points). Writes the numbers of the points into `order` and returns how many there are.
 * @param coordinates x, y and z of each point
 * @param visible 1 for points to draw, 0 for hidden points
 * @param away direction away from the viewer, of any length
 */
export function depthOrder(
  coordinates: Float32Array,
  visible: Uint8Array,
  away: { readonly x: number; readonly y: number; readonly z: number },
  order: Uint32Array,
): number {
  const points = visible.length;
  const depths = new Float32Array(points);
  let nearest = Number.POSITIVE_INFINITY;
  let farthest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < points; i++) {
    const depth = coordinates[3 * i]! * away.x + coordinates[3 * i + 1]! * away.y + coordinates[3 * i + 2]! * away.z;
    depths[i] = depth;
    if (depth < nearest) nearest = depth;
    if (depth > farthest) farthest = depth;
  }
  const scale = farthest > nearest ? (bins - 1) / (farthest - nearest) : 0;
  const bin = (i: number) => Math.round((farthest - depths[i]!) * scale);
  const ends = new Uint32Array(bins + 1); // first the count of each bin, then its next free index in `order`
  for (let i = 0; i < points; i++) if (visible[i]) ends[bin(i) + 1]!++;
  for (let b = 0; b < bins; b++) ends[b + 1]! += ends[b]!;
  for (let i = 0; i < points; i++) if (visible[i]) order[ends[bin(i)]!++] = i;
  return ends[bins]!;
}
