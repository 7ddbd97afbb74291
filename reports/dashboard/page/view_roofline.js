// The roofline (Williams, Waterman and Patterson, 2009): what compute and memory allow, ops as
// points. The roofs are those that the records themselves carry.

const rooflinePlace =
    (r) => [shortName(r, ['device', 'preset']), r.provenance, machineOf(r)].filter(Boolean).join(
        ', ');

function viewRoofline(parent, records) {
  const usable =
      latest(records).filter((r) => r.good && r.metrics.flops > 0 && r.metrics.bytes > 0);
  if (usable.length === 0) {
    sayEmpty(
        parent, 'There is no record with a time and with both FLOPs and bytes.',
        'bazel run //bench:linear -- --sweep=\'m=64,256,1500 precision=*\' --json=runs.jsonl');
    return;
  }
  const {place} = controls(
      parent,
      [{name: 'place', label: 'Device', options: unique(usable.map(rooflinePlace)).sort(natural)}]);
  const mine = usable.filter((r) => rooflinePlace(r) === place);
  const intensity = (r) => r.metrics.flops / r.metrics.bytes;
  const speed = (r) => flopsPerSecond(r) / 1e9;

  const best = bestOfTiles(mine);
  const swept = mine.filter((r) => !best.has(r));
  const roofAt = (r) => [r.metrics.peak_flops / 1e9, speed(r)].filter(Number.isFinite);
  const range = logRange(mine.map(intensity));
  const roofs = [...computeRoofs(mine, range), ...memoryRoofs(mine, range)];
  const hover =
      (r) => [`${formatNumber(speed(r))} GFLOP/s at ${formatNumber(intensity(r))} FLOP/byte`];
  draw(
      parent, 'roofline',
      [
        ...roofs,
        ...pointTraces(
            swept, intensity, speed, {size: 6, opacity: 0.5, label: ', slower tiles, reuse, batch', hover}),
        ...pointTraces(
            [...best], intensity, speed,
            {size: 11, hover, names: best.size <= 24 && !isNarrow() ? (r) => r.op : undefined}),
      ],
      {
        about: 'Speed of each op over its arithmetic intensity, under its roofs.',
        xaxis: logAxis('FLOP per byte (log)', mine.map(intensity)),
        yaxis: logAxis('GFLOP/s (log)', mine.flatMap(roofAt)),
        hovermode: 'closest',
      },
      isNarrow() ? 520 : 560);
  if (!mine.some((r) => r.metrics.peak_bandwidth))
    parent.append(element('p', {}, 'These records carry no memory roof.'));
  table(
      parent,
      [
        COLUMN.series(['op', 'shape', 'dtype', 'schedule', 'tile', 'reuse', 'batch']),
        {title: 'FLOP/byte', value: intensity, show: (r) => formatNumber(intensity(r))},
        {title: 'GFLOP/s', value: speed, show: (r) => formatNumber(speed(r))},
        {
          title: '% of compute',
          value: (r) => 100 * 1e9 * speed(r) / r.metrics.peak_flops,
          show: (r) => percentOf(speed(r) * 1e9, r.metrics.peak_flops)
        },
        {
          title: '% of memory',
          value: (r) => 100 * r.metrics.bytes / r.median / r.metrics.peak_bandwidth,
          show: (r) => percentOf(r.metrics.bytes / r.median, r.metrics.peak_bandwidth)
        },
        COLUMN.verdict,
        COLUMN.provenance,
      ],
      mine, {caption: 'Points', sort: 'GFLOP/s:desc'});
}

function percentOf(value, limit) {
  return limit ? `${formatNumber(100 * value / limit)} %` : '';
}

// Of the tiles of one op and shape, the fastest; and every record that is of no tile.
function bestOfTiles(records) {
  const best = new Map();
  for (const r of records) {
    const key = [r.op, r.shape, r.dtype, r.schedule].join(' ');
    if (!best.has(key) || flopsPerSecond(r) > flopsPerSecond(best.get(key))) best.set(key, r);
  }
  return new Set([...best.values(), ...records.filter((r) => r.tile === '-')]);
}

function roofLine(name, x, y, colour, dash) {
  return {
    type: 'scatter',
    mode: 'lines',
    name: plain(name),
    x,
    y,
    line: {color: colour, width: 2, dash},
    hoverinfo: 'name'
  };
}

function computeRoofs(records, range) {
  return unique(records.map((r) => r.dtype)).sort(natural).flatMap((dtype) => {
    const peaks = records.filter((r) => r.dtype === dtype && r.metrics.peak_flops)
                      .map((r) => r.metrics.peak_flops / 1e9);
    if (peaks.length === 0) return [];
    const peak = Math.max(...peaks);
    return [roofLine(
        `${dtype} roof ${formatNumber(peak)} GFLOP/s`, range, [peak, peak], dtypeColour(dtype),
        'solid')];
  });
}

// A CPU's bandwidth depends on which cache the operands fit in, so that there can be two.
function memoryRoofs(records, range) {
  const rates =
      records.map((r) => r.metrics.peak_bandwidth).filter(Boolean).map((rate) => rate / 1e9);
  if (rates.length === 0) return [];
  const top = Math.max(...records.map((r) => r.metrics.peak_flops / 1e9).filter(Number.isFinite));
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  const list = most > 1.1 * least ?
      [[least, 'largest operands', 'dash'], [most, 'smallest operands', 'dot']] :
      [[most, '', 'dash']];
  return list.map(([rate, what, dash]) => {
    const end = Math.max(range[0], Math.min(range[1], top / rate));
    return roofLine(
        `memory ${formatNumber(rate)} GB/s${what && `, ${what}`}`, [range[0], end],
        [range[0] * rate, end * rate], cssColour('text'), dash);
  });
}
