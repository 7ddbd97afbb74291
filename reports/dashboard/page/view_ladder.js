// The ladder: schedules from the naive one to the resident one, what was claimed beside what is
// found.

function ladderRows(records, {shape, place, dtype}) {
  const claimed = new Map(DATA.claims.map((claim) => [claim.schedule, claim]));
  const mine = latest(records).filter(
      (r) =>
          r.shape === shape && ladderPlace(r) === place && (dtype === 'best' || r.dtype === dtype));
  const others =
      unique(mine.map((r) => r.schedule)).filter((name) => !claimed.has(name)).sort(natural);
  let before = null;
  return [...claimed.keys(), ...others].map((schedule) => {
    const all = mine.filter((r) => r.schedule === schedule);
    const found = bestBy(all.filter((r) => r.good && r.metrics.rtf), () => '')[0];
    const row = {schedule, claim: claimed.get(schedule), record: found ?? all[0]};
    row.rtf = found ? found.metrics.rtf : null;
    row.step = row.rtf && before ? row.rtf / before : null;
    if (row.rtf) before = row.rtf;
    return row;
  });
}

const ladderPlace = (r) => `${shortName(r, ['device', 'preset'])}, ${r.provenance}`;

function viewLadder(parent, records) {
  const known = DATA.claims.map((claim) => claim.schedule);
  const steps = records.filter(
      (r) => r.op === 'encoder' && (known.includes(r.schedule) || r.device === 'npu'));
  let rows = DATA.claims.map((claim) => ({schedule: claim.schedule, claim, rtf: null, step: null}));
  if (steps.length === 0) {
    sayEmpty(
        parent, 'There is no record of a schedule of the ladder; this is what was claimed.',
        'bazel run //bench:encoder -- --device=npu --schedule=all --json=runs.jsonl');
  } else {
    const chosen = controls(parent, [
      {name: 'shape', label: 'Geometry', options: unique(steps.map((r) => r.shape)).sort(natural)},
      {name: 'place', label: 'Device', options: unique(steps.map(ladderPlace)).sort(natural)},
      {
        name: 'dtype',
        label: 'Data type',
        options: ['best', ...unique(steps.map((r) => r.dtype)).sort()]
      },
    ]);
    rows = ladderRows(steps, chosen);
  }
  drawLadder(parent, rows);
  const field = (name) => (row) => row.record ? COLUMN[name].value(row.record) : null;
  const show = (name) => (row) =>
      row.record ? (COLUMN[name].show ?? COLUMN[name].value)(row.record) : '';
  table(
      parent,
      [
        {title: 'Schedule', value: (row) => row.schedule},
        {
          title: 'Claimed',
          value: (row) => row.claim?.rtf ?? null,
          show: (row) => row.claim?.rtf ? `${row.claim.rtf}x` : ''
        },
        {title: 'Found', value: (row) => row.rtf, show: (row) => row.rtf ? formatRtf(row.rtf) : ''},
        {
          title: 'Found of claim',
          value: (row) => row.rtf && row.claim?.rtf ? row.rtf / row.claim.rtf : null,
          show: (row) =>
              row.rtf && row.claim?.rtf ? `${(100 * row.rtf / row.claim.rtf).toFixed(0)} %` : ''
        },
        {
          title: 'Over step before',
          value: (row) => row.step,
          show: (row) => row.step ? `${row.step.toFixed(2)} times` : ''
        },
        {title: 'Median ms', value: field('median'), show: show('median')},
        {
          title: 'Verdict',
          value: field('verdict'),
          show: show('verdict'),
          kind: (row) => row.record?.verdict ?? ''
        },
        {title: 'Provenance', value: field('provenance'), show: show('provenance')},
        {title: 'What was claimed', value: (row) => row.claim?.text ?? '', wide: true},
        {title: 'What is wrong', value: field('reason'), wide: true},
      ],
      rows, {caption: 'Schedules'});
}

function drawLadder(parent, rows) {
  const colour = cssColour('muted');
  const claims = rows.filter((row) => row.claim?.rtf);
  const found = rows.filter((row) => row.rtf);
  const records = found.map((row) => row.record);
  const values =
      [...claims.map((row) => row.claim.rtf), ...found.map((row) => row.rtf), DATA.target.rtf];
  // A wrong result has no time; its row says so.
  const wrong = rows.filter((row) => row.record && !row.rtf);
  draw(
      parent, 'ladder',
      [
        {
          type: 'scatter',
          mode: 'markers',
          name: 'claimed',
          x: claims.map((row) => row.claim.rtf),
          y: claims.map((row) => row.schedule),
          hovertext: claims.map((row) => plain(`claimed: ${row.claim.text}`)),
          hoverinfo: 'text',
          marker: {symbol: 'x-thin-open', size: 13, color: colour, line: {width: 3}}
        },
        {
          type: 'scatter',
          mode: 'lines',
          x: found.map((row) => row.rtf),
          y: found.map((row) => row.schedule),
          line: {color: colour, width: 1},
          hoverinfo: 'skip',
          showlegend: false
        },
        ...pointTraces(records, (r) => r.metrics.rtf, (r) => r.schedule, {
          size: 14,
          label: ', found',
          hover: (r) => [`${formatRtf(r.metrics.rtf)}, ${r.scope}`]
        }),
      ],
      {
        about: 'Real-time factor of each schedule: claimed, and found.',
        xaxis: logAxis('times real time (log)', values),
        yaxis: nameAxis(rows.map((row) => row.schedule)),
        shapes: [valueLine(DATA.target.rtf, `${DATA.target.rtf}x`)],
        annotations: wrong.map((row) => ({
                                 text: verdictText(row.record),
                                 xref: 'paper',
                                 x: 0.01,
                                 xanchor: 'left',
                                 y: row.schedule,
                                 showarrow: false
                               })),
      },
      130 + 36 * rows.length);
}
