/** The script of the page. Everything it changes is already in the page: it shows, hides, sorts, copies and saves. */
const all = <Found extends Element = HTMLElement>(selector: string, within: ParentNode = document) =>
  Array.from(within.querySelectorAll<Found>(selector));
const byId = (id: string) => document.getElementById(id)!;

document.documentElement.classList.add('scripted');

for (const group of all('[data-switch]')) {
  const radios = all<HTMLInputElement>(`input[name="${group.dataset.switch}"]`);
  const show = () => {
    const chosen = radios.find((radio) => radio.checked)?.value;
    for (const panel of all('[data-panel]', group)) panel.hidden = panel.dataset.panel !== chosen;
  };
  for (const radio of radios) radio.addEventListener('change', show);
  show();
}

// An arm that is switched off in one legend is off in all of them.
for (const button of all('.legend button')) {
  button.addEventListener('click', () => {
    const { arm } = button.dataset;
    const pressed = button.getAttribute('aria-pressed') !== 'true';
    for (const other of all('.legend button')) {
      if (other.dataset.arm === arm) other.setAttribute('aria-pressed', String(pressed));
    }
    for (const mark of all<SVGElement>('svg [data-arm]')) {
      if (mark.dataset.arm === arm) mark.classList.toggle('off', !pressed);
    }
  });
}

const table = byId('effects') as HTMLTableElement;
const body = table.tBodies[0]!;
const rows = Array.from(body.rows);
const heads = all<HTMLTableCellElement>('th[data-key]', table);
const filters = all<HTMLSelectElement>('#filters select');

const column = (key: string) => heads.findIndex((head) => head.dataset.key === key);
const filterValue = (row: HTMLTableRowElement, key: string) =>
  key === 'family' ? row.dataset.family : row.cells[column(key)]!.dataset.value;

function filterRows(): void {
  for (const row of rows) {
    row.hidden = filters.some(({ name, value }) => value !== '' && filterValue(row, name) !== value);
  }
  table.classList.toggle(
    'one-measure',
    filters.some(({ name, value }) => name === 'measure' && value !== ''),
  );
  byId('row-count').textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} effects`;
}
for (const filter of filters) filter.addEventListener('change', filterRows);
filterRows();

// The column of intervals holds both ends, "lower,upper".
const isNumber = heads.map(({ classList, dataset }) => classList.contains('number') || dataset.key!.includes(','));

for (const [column, head] of heads.entries()) {
  head.querySelector('button')!.addEventListener('click', () => {
    const ascending = head.getAttribute('aria-sort') !== 'ascending';
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
    const key = (row: HTMLTableRowElement) => row.cells[column]!.dataset.value!;
    const compare = (a: string, b: string) =>
      isNumber[column] ? Number.parseFloat(a) - Number.parseFloat(b) : a.localeCompare(b, 'en', { numeric: true });
    // Values that do not exist stay at the end.
    rows.sort((a, b) => {
      const [left, right] = [key(a), key(b)];
      if (left === '' || right === '') return Number(left === '') - Number(right === '');
      return ascending ? compare(left, right) : compare(right, left);
    });
    body.append(...rows);
  });
}

byId('csv').addEventListener('click', () => {
  // Spreadsheets run a text that begins like a formula.
  const cell = (text: string) => `"${(/^[=+\-@\t]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  const lines = [
    ['family', ...heads.map((head) => head.dataset.key!)],
    ...rows
      .filter((row) => !row.hidden)
      .map(({ cells, dataset }) => [
        dataset.family!,
        ...Array.from(cells, ({ dataset: { value } }, column) => (isNumber[column] ? value! : cell(value!))),
      ]),
  ];
  const file = new Blob([lines.map((line) => `${line.join()}\r\n`).join('')], { type: 'text/csv' });
  const url = URL.createObjectURL(file);
  Object.assign(document.createElement('a'), { href: url, download: 'effects.csv' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
});

for (const button of all<HTMLButtonElement>('.copy')) {
  button.addEventListener('click', async () => {
    const code = button.parentElement!.querySelector('code')!;
    const copied = await navigator.clipboard?.writeText(code.textContent!).then(
      () => true,
      () => false,
    );
    if (!copied) getSelection()!.selectAllChildren(code);
    byId('copied').textContent = button.textContent = copied ? 'Copied' : 'Selected';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2000);
  });
}

// What is folded is printed unfolded.
let opened: HTMLDetailsElement[] = [];
addEventListener('beforeprint', () => {
  opened = all<HTMLDetailsElement>('details.answers:not([open]), details.more:not([open])');
  for (const details of opened) details.open = true;
});
addEventListener('afterprint', () => {
  for (const details of opened) details.open = false;
});
