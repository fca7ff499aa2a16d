import { BadAnswer } from './bad-answer.js';

/**
 * The body as text, at most `limit` bytes of it after decompression: a small compressed answer may unpack to any size.
 * @throws BadAnswer when there is more, or when the body is not UTF-8
 */
export async function readLimited(response: Response, limit: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  let text = '';
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decode(() => decoder.decode());
      size += value.byteLength;
      if (size > limit) throw new BadAnswer(`is larger than ${limit} bytes`);
      text += decode(() => decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {}); // lets the connection go; after the last byte it does nothing
  }
}

function decode(run: () => string): string {
  try {
    return run();
  } catch {
    throw new BadAnswer('is not UTF-8');
  }
}
