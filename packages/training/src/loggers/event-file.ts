import CRC32C from 'crc-32/crc32c.js';

/**
 * One record of a TFRecord file, the framing of TensorBoard's event files: length (uint64), its checksum, the data, its checksum;
 * little-endian. Source: "TFRecord and tf.train.Example", tensorflow.org.
 */
export function record(data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(data.length + 16);
  bytes.writeBigUInt64LE(BigInt(data.length), 0);
  bytes.writeUInt32LE(maskedChecksum(bytes.subarray(0, 8)), 8);
  bytes.set(data, 12);
  bytes.writeUInt32LE(maskedChecksum(data), 12 + data.length);
  return bytes;
}

/**
 * The records of a file with their offsets. Ends before a record that is cut off.
 * @param onDamaged called with the offset of the first record whose checksum differs; throws
 */
export function* records(
  file: Buffer,
  onDamaged: (offset: number) => never,
): Generator<{ readonly offset: number; readonly data: Buffer }> {
  for (let offset = 0; offset + 16 <= file.length; ) {
    if (file.readUInt32LE(offset + 8) !== maskedChecksum(file.subarray(offset, offset + 8))) onDamaged(offset);
    const end = offset + 12 + Number(file.readBigUInt64LE(offset));
    if (end + 4 > file.length) return;
    const data = file.subarray(offset + 12, end);
    if (file.readUInt32LE(end) !== maskedChecksum(data)) onDamaged(offset);
    yield { offset, data };
    offset = end + 4;
  }
}

/** CRC-32C, rotated and shifted so that the checksum of data that has checksums of its own is not degenerate. */
function maskedChecksum(data: Uint8Array): number {
  const crc = CRC32C.buf(data, 0);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** What an event says besides its time and step. */
export type EventContent =
  | { readonly fileVersion: string }
  | { readonly scalars: Readonly<Record<string, number>> }
  /** Readers drop what they know of this step and later ones. */
  | { readonly isRestart: true };

/**
 * The protobuf message `Event` of TensorFlow's event.proto: wall_time = 1, step = 2, file_version = 3, summary = 5,
 * session_log = 7. Of a `Summary` only scalars: value = 1, with tag = 1 and simple_value = 2 (float32).
 * @param wallTime in seconds since 1970
 * @param step a safe integer ≥ 0
 */
export function event(wallTime: number, step: number, content: EventContent): Uint8Array {
  const time = Buffer.alloc(9);
  time[0] = (1 << 3) | 1;
  time.writeDoubleLE(wallTime, 1);
  return Buffer.concat([time, ...(step === 0 ? [] : [Buffer.from([2 << 3, ...varint(step)])]), body(content)]);
}

/** The step of a message that {@link event} made. */
export function eventStep(data: Uint8Array): number {
  if (data[9] !== 2 << 3) return 0; // proto3 leaves out a zero
  let step = 0;
  for (let index = 10, factor = 1; index < data.length; index++, factor *= 128) {
    step += (data[index]! & 0x7f) * factor;
    if (data[index]! < 0x80) break;
  }
  return step;
}

function body(content: EventContent): Buffer {
  if ('fileVersion' in content) return field(3, Buffer.from(content.fileVersion, 'utf8'));
  if ('isRestart' in content) return field(7, Buffer.from([1 << 3, 1])); // status = START
  return field(5, Buffer.concat(Object.entries(content.scalars).map(([tag, value]) => field(1, scalar(tag, value)))));
}

function scalar(tag: string, value: number): Buffer {
  const simpleValue = Buffer.alloc(5);
  simpleValue[0] = (2 << 3) | 5;
  simpleValue.writeFloatLE(value, 1);
  return Buffer.concat([field(1, Buffer.from(tag, 'utf8')), simpleValue]);
}

/** A field that holds bytes, text or a message. */
function field(number: number, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(data.length)]), data]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}
