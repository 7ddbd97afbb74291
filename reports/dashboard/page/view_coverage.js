// Coverage: op x device x dtype, with the worst verdict of each cell's newest runs and their age.

function coverageCell(records) {
  if (!records) return element('td', {class: 'skipped'}, 'no run');
  const worst = VERDICTS.find((verdict) => records.some((r) => r.verdict === verdict));
  const count = records.filter((r) => r.verdict === worst).length;
  const headroom = Math.min(...records.filter((r) => r.headroom !== null).map((r) => r.headroom));
  const ages = records.map((r) => DATA.generated - r.date);
  const [young, old] = [Math.min(...ages), Math.max(...ages)].map(formatAge);
  const signs = unique(records.map((r) => r.provenance))
                    .sort()
                    .map((p) => `${PROVENANCE_SIGNS[p]} ${p}`)
                    .join(', ');
  const {op, device, dtype} = records[0];
  const left = worst === 'passed' && Number.isFinite(headroom) ? ` ${headroom.toFixed(0)} %` : '';
  return element(
      'td', {class: `verdict ${worst}`},
      element(
          'a', {href: linkTo('records', {q: `op=${op} device=${device} dtype=${dtype}`})},
          `${SIGNS[worst]} ${worst}${left}`),
      element('small', {}, `${count} of ${records.length} series`),
      element('small', {}, young === old ? `${young} old` : `${young} to ${old} old`),
      element('small', {}, signs));
}

function viewCoverage(parent, records) {
  const newest = latest(records);
  if (newest.length === 0) {
    sayEmpty(parent, 'There is no record.', 'bazel run //bench:linear -- --json=runs.jsonl');
    return;
  }
  const ops = unique(newest.map((r) => r.op)).sort();
  const columns = unique(newest.map((r) => `${r.device} ${r.dtype}`)).sort(natural);
  const cells = groupBy(newest, (r) => `${r.op} ${r.device} ${r.dtype}`);
  const head = element(
      'tr', {}, element('th', {scope: 'col'}, 'Op'),
      ...columns.map((c) => element('th', {scope: 'col'}, c)));
  const rows = ops.map(
      (op) => element(
          'tr', {}, element('th', {scope: 'row'}, op),
          ...columns.map((column) => coverageCell(cells.get(`${op} ${column}`)))));
  parent.append(element(
      'p', {class: 'about'},
      'A cell is what its newest runs come to, one fault counting more ' +
          'than all the rest. Passed N %: the least of their tolerance that is left.'));
  parent.append(element(
      'div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Coverage'},
      element(
          'table', {class: 'matrix', id: 'matrix'}, element('thead', {}, head),
          element('tbody', {}, ...rows))));
}
