import type { Command } from './command.js';
import { headings, type OptionDefinition } from './options.js';
import { wrapped } from './text.js';

const width = 100;
const labelWidth = 30;

/** The text of `--help`: usage, the options below their headings, and an example. @param name such as `rarefy train grpo` */
export function commandHelp(name: string, description: string, { options, argument, example }: Command): string {
  const named = Object.entries(options).filter(([option]) => option !== argument);
  const required = named
    .filter(([, option]) => option.required)
    .map(([option, definition]) => label(option, definition));
  const shownArgument = argument && (options[argument]!.required ? `<${argument}>` : `[${argument}]`);
  const usage = [
    name,
    ...(shownArgument ? [shownArgument] : []),
    ...(named.length > 0 ? ['[OPTIONS]'] : []),
    ...required,
  ];
  const sections = headings.flatMap((heading) => {
    const shown = named.filter(([, option]) => (option.heading ?? 'Options') === heading);
    if (shown.length === 0) return [];
    return [
      section(
        heading,
        shown.map(([option, definition]) => row(label(option, definition), text(definition))),
      ),
    ];
  });
  const positional = shownArgument ? [section('Arguments', [row(shownArgument, options[argument]!.description)])] : [];
  return [
    description,
    `USAGE ${usage.join(' ')}`,
    ...positional,
    ...sections,
    section('Example', [`  ${example}`]),
  ].join('\n\n');
}

function section(heading: string, lines: readonly string[]): string {
  return [heading.toUpperCase(), '', ...lines].join('\n');
}

function label(name: string, option: OptionDefinition): string {
  if (option.type === 'flag') return `--${name}`;
  if (option.type === 'choice') return `--${name}=<${option.choices.join('|')}${option.orFile ? '|file' : ''}>`;
  return `--${name}=<${'valueHint' in option ? option.valueHint : option.type}>`;
}

function text(option: OptionDefinition): string {
  const notes = [
    ...(option.required ? ['(Required)'] : []),
    ...(option.type === 'list' ? ['(Repeatable)'] : []),
    ...('default' in option && option.default !== undefined ? [`(Default: ${option.default})`] : []),
  ];
  return [option.description, ...notes].join(' ');
}

/** A label and its description in two columns; a long label has a line of its own. */
function row(label: string, description: string): string {
  const lines = wrapped(description, width - labelWidth);
  const indent = ' '.repeat(labelWidth);
  const first = `  ${label}`;
  const start = first.length > labelWidth - 2 ? [first] : [`${first.padEnd(labelWidth)}${lines.shift()}`];
  return [...start, ...lines.map((line) => indent + line)].join('\n');
}
