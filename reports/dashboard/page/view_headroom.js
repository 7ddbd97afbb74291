// Headroom: how much of its tolerance each verdict has left.

const LITTLE = 20;  // percent: worth a look

function viewHeadroom(parent, records) {
  const judged = latest(records).filter((r) => r.headroom !== null);
  if (judged.length === 0) {
    sayEmpty(
        parent, 'No record was compared with a golden.',
        'bazel run //bench:linear -- --json=runs.jsonl');
    return;
  }
  const row = (r) => plain(isNarrow() ? r.op : shortName(r, ['op', 'device', 'dtype']));
  const little = judged.filter((r) => r.headroom < LITTLE).length;
  parent.append(element(
      'p', {},
      `${little} of ${judged.length} series have less than ${LITTLE} % of their tolerance left.` +
          (judged.some((r) => r.headroom < -100) ? ' Below −100 % is drawn at −100 %.' : '')));
  const names = unique(judged.map(row)).sort(natural);
  draw(
      parent, 'headroom', pointTraces(judged, (r) => Math.max(-100, r.headroom), row, {
        size: 10,
        opacity: 0.8,
        hover: (r) => [`${r.headroom.toFixed(1)} % of the tolerance left`]
      }),
      {
        about: 'Percent of the tolerance left, for each op, device and data type.',
        xaxis: axis('% of the tolerance left', {
          range: [
            Math.min(-4, Math.max(-105, ...[Math.min(...judged.map((r) => r.headroom)) - 4])), 104
          ]
        }),
        yaxis: nameAxis(names),
        shapes: [valueLine(0, 'limit'), valueLine(LITTLE, `${LITTLE} %`, 'right')],
      },
      140 + 24 * names.length);
  table(
      parent,
      [
        COLUMN.series(),
        {title: '% left', value: (r) => r.headroom, show: (r) => r.headroom.toFixed(1)},
        COLUMN.verdict, COLUMN.provenance,
        {title: 'Where the tolerance comes from', value: (r) => r.tolerance, wide: true}
      ],
      judged, {caption: 'Series', sort: '% left:asc'});
}
