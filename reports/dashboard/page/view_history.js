// History: one series over time, its steps, and the revisions where they happened.

function viewHistory(parent, records) {
  const map = histories(records.filter((r) => r.good));
  if (map.size === 0) {
    sayEmpty(
        parent, 'There is no record with a time.',
        'bazel run //bench:encoder -- --json=runs.jsonl');
    return;
  }
  const longest = [...map.values()].sort((a, b) => b.length - a.length)[0][0].identity;
  const asked = parameter('series');
  const list = map.get(asked) ?? map.get(longest);
  const steps = DATA.steps.filter((s) => DATA.records[s.record].identity === list[0].identity);

  const quantities =
      list.some((r) => r.metrics.rtf) ? [['ms', 'ms'], ['rtf', 'times real time']] : [['ms', 'ms']];
  parent.append(element(
      'p', {id: 'series-name'},
      [shortName(list[0]), list[0].provenance, machineOf(list[0])].filter(Boolean).join(' · ')));
  if (asked && !map.has(asked)) {
    parent.append(element(
        'p', {role: 'status'},
        'The series of the link has no time here, or the filter hides it; this is another one.'));
  }
  const chosen = controls(parent, [
    {name: 'y', label: 'Shown', options: quantities},
    {name: 'x', label: 'Along', options: [['date', 'date'], ['run', 'number of run']]},
  ]);
  drawHistory(parent, list, steps, chosen);
  const overloaded = list.filter((r) => r.overloaded).length;
  if (overloaded > 0) {
    parent.append(element(
        'p', {class: 'about', role: 'status'},
        `Pale: ${overloaded} of ${list.length} runs were made beside other programs (load over ` +
            '1.25 for each CPU); steps are not looked for in them, and the gate does not compare ' +
            'them.'));
  }
  if (list.length === 1)
    parent.append(element('p', {class: 'about'}, 'One run so far: no history yet.'));

  parent.append(element('h3', {}, 'Steps of this series'));
  if (steps.length === 0)
    parent.append(element('p', {}, 'No step found.'));
  else
    stepTable(parent, steps, 'sort2');
  parent.append(element('h3', {}, 'All series'));
  seriesTable(parent, map);
}

function drawHistory(parent, list, steps, {y, x}) {
  const value = (r, seconds) => y === 'rtf' ? r.metrics.rtf * r.median / seconds : 1e3 * seconds;
  const along = (r) => x === 'date' ? new Date(1e3 * r.date) : list.indexOf(r) + 1;
  const first = list[0];
  const colour = dtypeColour(first.dtype);
  const changes =
      steps.map((s) => ({...s, of: DATA.records[s.record]})).filter((s) => list.includes(s.of));
  const line = {
    type: 'scatter',
    mode: 'lines+markers',
    name: plain(`${first.dtype}, ${first.provenance}, median`),
    x: list.map(along),
    y: list.map((r) => value(r, r.median)),
    hovertext: list.map((r) => hoverText(r)),
    hoverinfo: 'text',
    line: {color: colour, dash: MARKS[first.provenance].dash, width: 1.5},
    marker: {
      color: colour,
      size: 8,
      // Beside other programs: too pale to be taken for the program's own time.
      opacity: list.map((r) => r.overloaded ? 0.3 : 1),
      symbol: MARKS[first.provenance].symbol,
      line: {width: first.provenance === 'modelled' ? 2 : 0}
    }
  };
  const least = {
    type: 'scatter',
    mode: 'markers',
    name: 'best sample',
    x: line.x,
    y: list.map((r) => value(r, r.least)),
    hoverinfo: 'skip',
    marker: {symbol: 'line-ew-open', size: 9, color: cssColour('muted')}
  };
  draw(
      parent, 'history', first.provenance === 'measured' ? [line, least] : [line], {
        about:
            `${y} of ${shortName(first)} over ${list.length} runs, with ${changes.length} steps.`,
        xaxis: axis(x === 'date' ? 'date (UTC)' : 'run'),
        yaxis:
            axis(y === 'rtf' ? 'times real time' : 'ms', {range: [0, 1.25 * Math.max(...line.y)]}),
        shapes: changes.map((s) => ({
                              type: 'line',
                              yref: 'paper',
                              y0: 0,
                              y1: 1,
                              x0: along(s.of),
                              x1: along(s.of),
                              line: {color: cssColour('text'), dash: TARGET_DASH, width: 1.5}
                            })),
        annotations:
            changes.map((s) => ({
                          x: along(s.of),
                          y: 1,
                          yref: 'paper',
                          yanchor: 'top',
                          xanchor: 'left',
                          showarrow: false,
                          align: 'left',
                          font: {size: 12},
                          text: plain(`${stepPercent(s)} time`) + '<br>' + plain(revision(s.of))
                        })),
      },
      400);
}

function stepPercent(step) {
  const percent = 100 * (step.after / step.before - 1);
  const digits = Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 1 : 0);
  return `${percent > 0 ? '+' : '−'}${digits} %`;
}

function stepTable(parent, steps, name) {
  const of = (s) => DATA.records[s.record];
  table(
      parent,
      [
        {title: 'Date (UTC)', value: (s) => formatDate(of(s).date)},
        {title: 'Revision', value: (s) => revision(of(s))},
        {title: 'Before ms', value: (s) => s.before, show: (s) => formatMs(s.before)},
        {title: 'After ms', value: (s) => s.after, show: (s) => formatMs(s.after)},
        {title: 'Time', value: (s) => s.after / s.before, show: stepPercent},
        {title: 'Change', value: (s) => s.after > s.before ? 'slower' : 'faster'},
      ],
      steps, {caption: 'Steps', name});
}

function seriesTable(parent, map) {
  const stepsOf = new Map();
  for (const s of DATA.steps) stepsOf.set(DATA.records[s.record].identity, s);
  const rows = [...map.values()].map(
      (list) => ({list, newest: list[list.length - 1], step: stepsOf.get(list[0].identity)}));
  const of = (column) => ({
    ...column,
    value: (row) => column.value(row.newest),
    show: (row) => (column.show ?? column.value)(row.newest),
    kind: column.kind && ((row) => column.kind(row.newest))
  });
  table(
      parent,
      [
        of(COLUMN.series()),
        {title: 'Runs', value: (row) => row.list.length},
        of(COLUMN.median),
        {
          title: 'Last step',
          value: (row) => row.step ? row.step.after / row.step.before : null,
          show: (row) => row.step ? stepPercent(row.step) : ''
        },
        of(COLUMN.provenance),
        of(COLUMN.date),
        of(COLUMN.machine),
      ],
      rows, {caption: 'Series', sort: 'Runs:desc'});
}
