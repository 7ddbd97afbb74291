// The budget: where the time of a window goes, against the 136.4 ms that 220x allows.

const NO_STAGES = ['total', 'first'];  // of a window; the first one ever, with cold caches

function stagesOf(record, grouped) {
  const sums = new Map();
  for (const [name, seconds] of Object.entries(record.times)) {
    if (NO_STAGES.includes(name)) continue;
    const key = grouped ? name.split('.')[0] : name;
    sums.set(key, (sums.get(key) ?? 0) + seconds);
  }
  const rows =
      [...sums].map(([stage, seconds]) => ({stage, seconds})).sort((a, b) => b.seconds - a.seconds);
  const rest = record.median - rows.reduce((sum, row) => sum + row.seconds, 0);
  if (Math.abs(rest) > 1e-3 * record.median) {
    rows.push({
      stage: rest > 0 ? 'outside the stages' : 'overlap, or medians that do not add up',
      seconds: rest
    });
  }
  return rows;
}

function viewBudget(parent, records) {
  const usable = latest(records).filter(
      (r) =>
          r.op === 'encoder' && r.good && Object.keys(r.times).some((n) => !NO_STAGES.includes(n)));
  if (usable.length === 0) {
    sayEmpty(
        parent, 'There is no encoder record with its stages.',
        'bazel run //bench:encoder -- --json=runs.jsonl');
    return;
  }
  usable.sort((a, b) => a.median - b.median);
  const chosen = controls(parent, [
    {
      name: 'series',
      label: 'Run',
      options: usable.map((r) => [r.identity, `${shortName(r)} (${r.provenance})`])
    },
    {name: 'by', label: 'Split by', options: [['stage', 'stage'], ['op', 'op']]},
  ]);
  const record = usable.find((r) => r.identity === chosen.series);
  const budget = DATA.target.window_s / DATA.target.rtf;
  const rows = stagesOf(record, chosen.by === 'op');
  const over = record.median - budget;
  parent.append(element(
      'p', {},
      `${formatMs(record.median)} ms a window of ${DATA.target.window_s} s, ${
          record.provenance}, ` +
          `${verdictText(record)}: ${formatMs(Math.abs(over))} ms ${
              over > 0 ? 'over' : 'within'} the ${formatMs(budget)} ms of ${DATA.target.rtf}x.`));
  drawBudget(parent, record, rows, budget);
  table(
      parent,
      [
        {title: 'Stage', value: (row) => row.stage},
        {title: 'ms', value: (row) => row.seconds, show: (row) => formatMs(row.seconds)},
        {
          title: 'Share',
          value: (row) => row.seconds / record.median,
          show: (row) => `${(100 * row.seconds / record.median).toFixed(1)} %`
        },
        {
          title: 'Of the budget',
          value: (row) => row.seconds / budget,
          show: (row) => `${(100 * row.seconds / budget).toFixed(1)} %`
        },
      ],
      rows, {caption: 'Stages', sort: 'ms:desc'});
}

// Modelled bars are hollow, measured ones solid.
function barStyle(provenance, colour) {
  return {
    marker: {
      color: provenance === 'measured' ? colour : 'rgba(0,0,0,0)',
      line: {color: colour, width: provenance === 'measured' ? 0 : 2}
    }
  };
}

function drawBudget(parent, record, rows, budget) {
  const colour = dtypeColour(record.dtype);
  const all = [
    ...rows.map((row) => ({...row, measure: 'relative'})),
    {stage: 'total', seconds: record.median, measure: 'total'}
  ];
  draw(
      parent, 'budget', [{
        type: 'waterfall',
        orientation: 'h',
        name: plain(`${record.dtype}, ${record.provenance}`),
        y: all.map((row) => plain(row.stage)),
        x: all.map((row) => 1e3 * row.seconds),
        measure: all.map((row) => row.measure),
        text: all.map((row) => formatMs(row.seconds)),
        textposition: 'outside',
        cliponaxis: false,
        hoverinfo: 'text',
        hovertext: all.map(
            (row) => plain(`${row.stage}: ${formatMs(row.seconds)} ms, ${
                (100 * row.seconds / record.median).toFixed(1)} %`)),
        increasing: barStyle(record.provenance, colour),
        decreasing: barStyle(record.provenance, cssColour('muted')),
        totals: barStyle(record.provenance, cssColour('text')),
        connector: {line: {color: cssColour('line'), width: 1}},
      }],
      {
        about: `Waterfall of ${formatMs(record.median)} ms by stage against a budget of ${
            formatMs(budget)} ms.`,
        title: chartMark(record),
        showlegend: false,
        xaxis: axis('ms', {range: [0, 1.12e3 * Math.max(budget, record.median)]}),
        yaxis: nameAxis(all.map((row) => plain(row.stage))),
        shapes: [valueLine(
            1e3 * budget,
            isNarrow() ? formatMs(budget) : `${formatMs(budget)} ms: ${DATA.target.rtf}x`)],
      },
      130 + 32 * all.length);
}
