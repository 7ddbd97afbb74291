// Tables that sort by a click on a column's head and grow on request.

const ROWS_AT_ONCE = 100;

function compareValues(a, b) {
  // What is missing comes last in both directions.
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return natural(String(a), String(b));
}

function sorted(rows, column, descending) {
  const keyed = rows.map((row) => [column.value(row), row]);
  const missing = ([value]) => value === null || value === undefined || Number.isNaN(value);
  keyed.sort((a, b) => {
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    return (descending ? -1 : 1) * compareValues(a[0], b[0]);
  });
  return keyed.map(([, row]) => row);
}

function cellOf(column, row) {
  const value = column.value(row);
  const shown = column.show ? column.show(row) : value ?? '';
  const kind = column.kind ? column.kind(row) : '';
  const classes = [typeof value === 'number' ? 'number' : '', kind, column.wide ? 'wide' : ''];
  return element('td', {class: classes.filter(Boolean).join(' ') || undefined}, shown);
}

//   columns: [{title, value(row) to sort by, show(row) -> text or node, kind(row) -> class, wide}]
//   options: caption, name of the sort in the address, sort: the first order, "Title:desc"
function table(parent, columns, rows, {caption, name = 'sort', sort = ''} = {}) {
  const [title, direction] = parameter(name, sort).split(/:(?=asc$|desc$)/);
  const by = columns.find((column) => column.title === title);
  const descending = direction === 'desc';
  const ordered = by ? sorted(rows, by, descending) : rows;

  const head = columns.map((column) => {
    const next = column === by && !descending ? 'desc' : 'asc';
    const order = column === by ? (descending ? 'descending' : 'ascending') : undefined;
    const numeric = rows.length > 0 && typeof column.value(rows[0]) === 'number';
    return element(
        'th', {'scope': 'col', 'aria-sort': order, 'class': numeric ? 'number' : undefined},
        element(
            'button', {
              type: 'button',
              id: `${name}-${column.title}`,
              onclick: () => setParameter(name, `${column.title}:${next}`),
            },
            column.title));
  });
  const body = element('tbody');
  const more = element('button', {type: 'button'});
  const grow = () => {
    const from = body.rows.length;
    for (const row of ordered.slice(from, from + ROWS_AT_ONCE)) {
      body.append(element('tr', {}, ...columns.map((column) => cellOf(column, row))));
    }
    const left = ordered.length - body.rows.length;
    more.hidden = left === 0;
    more.textContent = `${Math.min(left, ROWS_AT_ONCE)} more of ${left}`;
  };
  more.addEventListener('click', grow);
  grow();
  const text = caption ? `${caption}: ${rows.length}` : `${rows.length} rows`;
  parent.append(
      element(
          'div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': text},
          element(
              'table', {}, element('caption', {}, text),
              element('thead', {}, element('tr', {}, ...head)), body)),
      more);
}

// The columns that most tables have.
const COLUMN = {
  series: (parts) => ({
    title: 'Series',
    value: (r) => shortName(r, parts),
    wide: true,
    show: (r) => element('a', {href: linkTo('history', {series: r.identity})}, shortName(r, parts))
  }),
  verdict: {title: 'Verdict', value: (r) => r.verdict, show: verdictText, kind: (r) => r.verdict},
  provenance: {title: 'Provenance', value: (r) => r.provenance, show: provenanceText},
  median: {
    title: 'Median ms',
    value: (r) => r.median,
    show: (r) => r.median === null ? '' : formatMs(r.median)
  },
  rtf: {
    title: 'RTF',
    value: (r) => r.metrics.rtf ?? null,
    show: (r) => r.metrics.rtf ? formatRtf(r.metrics.rtf) : ''
  },
  revision: {title: 'Revision', value: revision},
  machine: {title: 'Machine', value: (r) => r.environment.machine_class},
  date: {title: 'Date (UTC)', value: (r) => formatDate(r.date)},
  reason: {title: 'What is wrong', value: (r) => r.good ? '' : r.reason, wide: true},
};
