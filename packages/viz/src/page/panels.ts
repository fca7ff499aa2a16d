import { visibleText } from '@rarefy/core';
import { sourceColor } from '../view/view-points.js';

/** Fills `list` with one switch per source, and calls `onChange` with the sources that are on. */
export function fillLegend(
  list: HTMLElement,
  sources: readonly { readonly label: string; readonly count: number }[],
  onChange: (shown: readonly boolean[]) => void,
): void {
  const shown = sources.map(() => true);
  sources.forEach(({ label, count }, code) => {
    const button = element('button', 'source');
    button.type = 'button';
    button.title = visibleText(label);
    button.ariaPressed = 'true';
    button.append(
      swatch(sourceColor(code)),
      foreignText('span', 'name', label),
      element('span', 'number', count.toLocaleString('en')),
    );
    button.addEventListener('click', () => {
      shown[code] = !shown[code];
      button.ariaPressed = String(shown[code]);
      onChange(shown);
    });
    const item = element('li');
    item.append(button);
    list.append(item);
  });
}

/** What the card of a point shows. */
interface CardContent {
  readonly color: string;
  readonly source: string;
  readonly prompt: string;
  readonly id: string;
  /** In [0, 1]. */
  readonly density: number;
}

/** Space between the pointer, the card and the edge of the window, in CSS pixels. */
const gap = 16;

/** Fills the card and shows it beside (x, y), on the side with room for it; in CSS pixels of the window. */
export function showCard(card: HTMLElement, content: CardContent, x: number, y: number): void {
  const head = element('div', 'head');
  head.append(swatch(content.color), foreignText('span', 'name', content.source));
  const foot = element('div', 'foot');
  foot.append(
    element('span', 'density', `density ${content.density.toFixed(2)}`),
    foreignText('span', 'id', content.id),
  );
  card.replaceChildren(head, foreignText('p', 'prompt', content.prompt), foot);
  card.hidden = false;
  const { width, height } = card.getBoundingClientRect();
  const left = x + gap + width <= innerWidth - gap ? x + gap : x - gap - width;
  const top = Math.min(y + gap, innerHeight - gap - height);
  card.style.transform = `translate(${Math.round(Math.max(gap, left))}px, ${Math.round(Math.max(gap, top))}px)`;
}

function swatch(color: string): HTMLElement {
  const made = element('span', 'swatch');
  made.style.backgroundColor = color;
  return made;
}

/** An element with text from the data, in whichever direction it is written. */
function foreignText(name: 'span' | 'p', className: string, text: string): HTMLElement {
  const made = element(name, className, visibleText(text));
  made.dir = 'auto';
  return made;
}

/** A new element with a class and text; the text is never parsed as markup. */
function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = '',
  text = '',
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
