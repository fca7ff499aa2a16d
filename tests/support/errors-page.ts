/** An error class, as its doc comment and its `code` describe it. */
interface ErrorClass {
  readonly name: string;
  readonly code: string;
  readonly cause: string;
  readonly remedy: string;
}

/** The exported classes of `errors.ts`, in order. @throws Error if the doc comment of one has no remedy. */
export function errorClasses(source: string): ErrorClass[] {
  const classes = source.matchAll(
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport class (\w+) extends \w+ \{\n {2}static (?:override )?readonly code(?:: string)? = '(\w+)'/g,
  );
  return [...classes].map(([, comment, name, code]) => {
    const text = comment!.replace(/^ \*(?: |$)/gm, '');
    const [cause, remedy] = text.split(/\s+Remedy: /).map((part) => part.replace(/\s+/g, ' ').trim());
    if (!cause || !remedy) throw new Error(`the doc comment of ${name} has no "Remedy: …"`);
    return { name: name!, code: code!, cause, remedy: remedy[0]!.toUpperCase() + remedy.slice(1) };
  });
}

/** The page of the error classes: an introduction, and a heading per code. */
export function errorsPage(introduction: string, classes: readonly ErrorClass[]): string {
  const sections = classes.map(({ name, code, cause, remedy }) => {
    const paragraphs = [`\`${name}\``, `**Cause.** ${cause}`, `**Remedy.** ${remedy}`];
    return `## ${code}\n\n${paragraphs.map(wrapped).join('\n\n')}\n`;
  });
  return [introduction, ...sections].join('\n');
}

/** Lines of at most 140 characters. */
function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line !== '' && line.length + 1 + word.length > 140) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n');
}
