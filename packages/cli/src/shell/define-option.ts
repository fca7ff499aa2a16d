interface Limits {
  readonly default?: number;
  readonly min?: number;
  readonly max?: number;
}
type Optional = { readonly required?: true };

export const flag = (description: string) => ({ type: 'flag', description }) as const;

export function integer<const More extends Limits & Optional>(description: string, more = {} as More) {
  return { type: 'integer', description, ...more } as const;
}

export function number<const More extends Limits & Optional>(description: string, more = {} as More) {
  return { type: 'number', description, ...more } as const;
}

export function text<const More extends { readonly default?: string } & Optional>(
  valueHint: string,
  description: string,
  more = {} as More,
) {
  return { type: 'text', valueHint, description, ...more } as const;
}

export const list = (valueHint: string, description: string) => ({ type: 'list', valueHint, description }) as const;

export function choice<
  const Choice extends string,
  const More extends { readonly default?: NoInfer<Choice>; readonly orFile?: true } & Optional,
>(choices: readonly Choice[], description: string, more = {} as More) {
  return { type: 'choice', choices, description, ...more } as const;
}
