import { visibleText } from '@rarefy/core';

/** Finished HTML or SVG. Only {@link html} makes it, so every text in it is escaped. */
export interface Markup {
  readonly markup: string;
}

type Content = string | number | Markup | false | undefined | null | readonly Content[];

/**
 * A template of HTML or SVG. What is inserted is escaped, and characters that could make a text read as another one become visible;
 * only markup stays as it is. Lists are joined, and `false`, `undefined` and `null` leave nothing.
 */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return { markup: parts.reduce((text, part, index) => text + textOf(contents[index - 1]) + part) };
}

function textOf(content: Content): string {
  if (content === false || content === undefined || content === null) return '';
  if (typeof content === 'number') return String(content);
  if (typeof content === 'string') {
    return visibleText(content).replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
  }
  return 'markup' in content ? content.markup : content.map(textOf).join('');
}
