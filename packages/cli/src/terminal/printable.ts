/** A message in one line, without control characters: it may quote a file or a server, and those could steer the terminal. */
export function printable(message: string): string {
  return message.replace(/\p{Cc}+/gu, ' ').trim();
}
