/** out[s] = sum of the rows of x [rows, width] with the int32 id s. Ignores rows with an id outside [0, segments). */
export function segmentSum(x: usize, ids: usize, rows: i32, width: i32, segments: i32, out: usize): void {
  const row = <usize>width << 2;
  memory.fill(out, 0, <usize>segments * row);
  for (let index = 0; index < rows; index++) {
    const id = load<u32>(ids + (<usize>index << 2));
    if (id < <u32>segments) addRow(x, width, out + <usize>id * row);
    x += row;
  }
}

function addRow(from: usize, width: i32, to: usize): void {
  const wholeEnd = from + (<usize>(width & ~3) << 2);
  const end = from + (<usize>width << 2);
  for (; from < wholeEnd; from += 16) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
    to += 16;
  }
  for (; from < end; from += 4) {
    store<f32>(to, load<f32>(to) + load<f32>(from));
    to += 4;
  }
}
