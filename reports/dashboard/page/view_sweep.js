// The sweep: tile x reuse x batch as a heat map. Cells can't be hollow, so one map shows either
// measured or modelled numbers, and says which.

const SWEPT = ['tile', 'reuse', 'batch'];
const REUSES = ['fresh', 'bo', 'context'];  // from the dearest; runlist:N follow
const QUANTITIES = {
  ms: {text: 'ms', value: (r) => 1e3 * r.median, show: (v) => formatMs(v / 1e3)},
  gflops: {
    text: 'GFLOP/s',
    value: (r) => r.metrics.flops ? flopsPerSecond(r) / 1e9 : null,
    show: formatNumber
  },
  peak: {text: '% of peak', value: (r) => r.metrics.percent_of_peak ?? null, show: formatNumber},
};

const sweepName = (r) =>
    `${shortName(r, ['op', 'shape', 'dtype', 'device', 'preset', 'schedule'])} (${r.provenance})`;

function reuseOrder(a, b) {
  const rank = (name) => REUSES.includes(name) ? REUSES.indexOf(name) : REUSES.length;
  return rank(a) - rank(b) || natural(a, b);
}

function viewSweep(parent, records) {
  const swept = latest(records).filter((r) => r.tile !== '-' || r.reuse !== '-');
  const groups = groupBy(swept, sweepName);
  if (groups.size === 0) {
    sayEmpty(
        parent, 'There is no record of a sweep over tile shapes or buffer reuse.',
        'bazel run //bench:linear -- --device=npu --json=runs.jsonl ' +
            '--sweep=\'tile=* reuse=fresh,bo,context,runlist:16 batch=1,8\'');
    return;
  }
  const names = [...groups.keys()].sort((a, b) => groups.get(b).length - groups.get(a).length);
  const chosen = controls(parent, [
    {name: 'sweep', label: 'Sweep', options: names},
    {
      name: 'of',
      label: 'Shown',
      options: Object.entries(QUANTITIES).map(([key, q]) => [key, q.text])
    },
  ]);
  const mine = groups.get(chosen.sweep);
  drawSweep(parent, mine, QUANTITIES[chosen.of]);
  table(
      parent,
      [
        ...SWEPT.map((name) => ({title: name, value: (r) => r[name]})), COLUMN.median,
        ...['gflops', 'peak'].map((key) => ({
                                    title: QUANTITIES[key].text,
                                    value: (r) => r.good ? QUANTITIES[key].value(r) : null,
                                    show: (r) => r.good && QUANTITIES[key].value(r) !== null ?
                                        QUANTITIES[key].show(QUANTITIES[key].value(r)) :
                                        ''
                                  })),
        COLUMN.verdict, COLUMN.provenance, COLUMN.reason
      ],
      mine, {caption: 'Points', sort: 'Median ms:asc'});
}

function drawSweep(parent, records, quantity) {
  const tiles = unique(records.map((r) => r.tile)).sort(natural);
  const columns = unique(records.map((r) => JSON.stringify([r.batch, r.reuse])))
                      .map((c) => JSON.parse(c))
                      .sort((a, b) => natural(a[0], b[0]) || reuseOrder(a[1], b[1]));
  const at = new Map(records.map((r) => [[r.tile, r.batch, r.reuse].join(' '), r]));
  const grid =
      tiles.map((tile) => columns.map(([batch, reuse]) => at.get([tile, batch, reuse].join(' '))));
  const value = (r) => r && r.good ? quantity.value(r) : null;
  const cellText = (r) => !r ? '' :
      value(r) === null      ? `${SIGNS[r.verdict]} ${r.verdict}` :
                               plain(quantity.show(value(r)));
  const values = grid.flat().map(value).filter((v) => v > 0);
  const ticks = colourTicks(values);
  const crowded = columns.length * (isNarrow() ? 60 : 46) > Math.min(window.innerWidth, 1400);
  draw(
      parent, 'sweep', [{
        type: 'heatmap',
        x: [columns.map(([batch]) => `batch ${batch}`), columns.map(([, reuse]) => plain(reuse))],
        y: tiles.map(plain),
        z: grid.map((row) => row.map((r) => value(r) > 0 ? Math.log10(value(r)) : null)),
        text: grid.map((row) => row.map(cellText)),
        texttemplate: crowded ? '' : '%{text}',
        hovertext: grid.map((row) => row.map((r) => r ? hoverText(r) : 'not run')),
        hoverinfo: 'text',
        hoverongaps: true,
        colorscale: 'Cividis',
        xgap: 1,
        ygap: 1,
        colorbar: {
          title: {text: plain(`${quantity.text}, ${records[0].provenance}`), side: 'right'},
          tickvals: ticks.map(Math.log10),
          ticktext: ticks.map(quantity.show),
          thickness: 14
        },
      }],
      {
        about: `Heat map of ${quantity.text} by tile, reuse and batch, ${records[0].provenance}.`,
        title: chartMark(records[0]),
        xaxis: axis('', {type: 'multicategory', showgrid: false}),
        yaxis: axis('', {type: 'category', showgrid: false, autorange: 'reversed'}),
        showlegend: false,
      },
      Math.max(260, 130 + 24 * tiles.length));
}

// Round numbers between the least and the most, for a scale that is logarithmic.
function colourTicks(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const inside = values.length > 0 ? roundNumbers(least, most) : [];
  return inside.length > 1 ? inside : unique(values.length > 0 ? [least, most] : []);
}
