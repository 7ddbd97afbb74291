// The headline: how many times real time, on each device and geometry, against 220x.

const RTF_PARTS = ['device', 'preset', 'shape', 'dtype', 'schedule', 'batch'];

function bestBy(records, keyOf) {
  const best = new Map();
  for (const r of records) {
    const key = keyOf(r);
    if (!best.has(key) || r.metrics.rtf > best.get(key).metrics.rtf) best.set(key, r);
  }
  return [...best.values()].sort((a, b) => b.metrics.rtf - a.metrics.rtf);
}

function headlineCard(r) {
  const share = 100 * r.metrics.rtf / DATA.target.rtf;
  return element(
      'div', {class: `card ${r.provenance}`},
      element(
          'p', {class: 'muted'}, `${r.shape} on ${shortName(r, ['device', 'preset'])}, ${r.scope}`),
      element('b', {}, formatRtf(r.metrics.rtf)), element('meter', {
        min: 0,
        max: 100,
        value: share,
        'aria-label': `${share.toFixed(0)} % of ${DATA.target.rtf}x`
      }),
      element(
          'p', {},
          `${share.toFixed(0)} % of ${DATA.target.rtf}x; ${shortName(r, ['dtype', 'schedule'])}`),
      element('p', {}, `${verdictText(r)}; ${provenanceText(r)}`), element('p', {class: 'muted'}, [
        formatDate(r.date), revision(r), machineOf(r)
      ].filter(Boolean).join('; ')));
}

function viewHeadline(parent, records) {
  const newest = latest(records).filter((r) => r.op === 'encoder' || r.metrics.rtf !== undefined);
  if (newest.length === 0) {
    sayEmpty(
        parent, 'There is no record of an encoder run, so there is no real-time factor.',
        'bazel run //bench:encoder -- --json=runs.jsonl');
    return;
  }
  const timed = newest.filter((r) => r.good && r.metrics.rtf);
  const place = (r) => [r.device, r.preset, r.shape, r.scope, r.provenance, machineOf(r)].join(' ');
  parent.append(element('div', {class: 'cards'}, ...bestBy(timed, place).map(headlineCard)));

  const shown = bestBy(timed, (r) => `${place(r)} ${r.dtype}`);
  if (shown.length > 0) {
    const rowName = (r) =>
        plain(shortName(r, isNarrow() ? ['device', 'shape'] : ['device', 'preset', 'shape']));
    draw(
        parent, 'headline',
        pointTraces(
            shown, (r) => r.metrics.rtf, rowName,
            {size: 14, hover: (r) => [`${formatRtf(r.metrics.rtf)}, ${r.scope}`]}),
        {
          about: 'Real-time factor of each device, geometry and data type against the target.',
          xaxis: logAxis(
              'times real time (log)', [...shown.map((r) => r.metrics.rtf), DATA.target.rtf]),
          yaxis: nameAxis(unique(shown.map(rowName))),
          shapes: [valueLine(DATA.target.rtf, `${DATA.target.rtf}x`)],
        },
        150 + 42 * unique(shown.map(rowName)).length);
  }
  table(
      parent,
      [
        COLUMN.series(RTF_PARTS), {title: 'Scope', value: (r) => r.scope}, COLUMN.rtf, {
          title: 'Of target',
          value: (r) => r.metrics.rtf ? 100 * r.metrics.rtf / DATA.target.rtf : null,
          show: (r) =>
              r.metrics.rtf ? `${(100 * r.metrics.rtf / DATA.target.rtf).toFixed(0)} %` : ''
        },
        COLUMN.median, COLUMN.verdict, COLUMN.provenance, COLUMN.revision, COLUMN.date,
        COLUMN.reason, COLUMN.machine
      ],
      newest, {caption: 'Newest run of each series', sort: 'RTF:desc'});
}
