// Every record, as a table.

function viewRecords(parent, records) {
  if (records.length === 0) {
    sayEmpty(parent, 'There is no record.', 'bazel run //bench:encoder -- --json=runs.jsonl');
    return;
  }
  table(
      parent,
      [
        COLUMN.series(), COLUMN.verdict, COLUMN.median, {
          title: 'Spread %',
          value: (r) => r.spread,
          show: (r) => r.spread === null ? '' : r.spread.toFixed(1)
        },
        {title: 'Samples', value: (r) => r.samples}, COLUMN.rtf, COLUMN.provenance, COLUMN.date,
        COLUMN.revision, COLUMN.machine, {title: 'Load', value: (r) => r.load},
        {title: 'Compiler', value: (r) => r.environment.compiler},
        {title: 'Governor', value: (r) => r.environment.governor},
        {title: 'Hashes', value: (r) => r.hashes}, {title: 'Seed', value: (r) => r.seed},
        {title: 'Reason of the verdict', value: (r) => r.reason, wide: true}
      ],
      records, {caption: 'Records', sort: 'Date (UTC):desc'});
}
