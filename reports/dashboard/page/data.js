// The records as objects, from the columns that page_data.cc writes.

const PARTS = ['op', 'shape', 'dtype', 'device', 'preset', 'schedule', 'tile', 'reuse', 'batch'];
// What a group of records comes to is the first of these that it has: a fault anywhere counts, and
// what could not be run does not hide what could.
const VERDICTS = ['failed', 'invalid', 'mistrusted', 'passed', 'unsupported', 'skipped'];
const SIGNS = {
  passed: '✓',
  failed: '✗',
  invalid: '✗',
  mistrusted: '?',
  unsupported: '–',
  skipped: '–',
};
const PROVENANCE_SIGNS = {
  measured: '●',
  modelled: '◇'
};

function pairsToObject(pairs, text) {
  const object = {};
  for (let i = 0; i < pairs.length; i += 2) object[text[pairs[i]]] = pairs[i + 1];
  return object;
}

function decode(raw) {
  const {text, columns} = raw;
  const series = raw.series.map((indices) => {
    const parts = indices.map((i) => text[i]);
    const key = parts.join('/');
    return {
      ...Object.fromEntries(PARTS.map((name, i) => [name, parts[i]])),
      key,
      low: key.toLowerCase()
    };
  });
  const records = columns.series.map((at, i) => {
    const environment = raw.environments[columns.environment[i]];
    const provenance = columns.modelled[i] ? 'modelled' : 'measured';
    const invalid = text[columns.invalid[i]];
    const record = {
      ...series[at],
      index: i,
      provenance,
      invalid,
      environment,
      verdict: invalid ? 'invalid' : text[columns.status[i]],
      reason: invalid || text[columns.reason[i]],
      scope: text[columns.scope[i]],
      tolerance: text[columns.tolerance[i]],
      headroom: columns.headroom[i],
      date: columns.date[i],
      load: columns.load[i],
      overloaded: columns.overloaded[i] === 1,
      hashes: text[columns.hashes[i]],
      seed: text[columns.seed[i]],
      samples: columns.samples[i],
      median: columns.median[i],
      least: columns.least[i],
      spread: columns.spread[i],
      times: pairsToObject(columns.times[i], text),
      metrics: pairsToObject(columns.metrics[i], text),
    };
    record.good = record.verdict === 'passed';
    // A history of its own for each class of machine.
    record.identity = [record.key, provenance, machineOf(record)].filter(Boolean).join(' ');
    return record;
  });
  return {...raw, records};
}

// name -> its records, in their order.
function groupBy(records, nameOf) {
  const groups = new Map();
  for (const record of records) {
    const name = nameOf(record);
    const list = groups.get(name);
    if (list)
      list.push(record);
    else
      groups.set(name, [record]);
  }
  return groups;
}

// identity -> its records, the oldest first (the C++ side has sorted them by date).
function histories(records) {
  return groupBy(records, (r) => r.identity);
}

function latest(records) {
  return [...histories(records).values()].map((list) => list[list.length - 1]);
}

// Keeps the records of series that have every word of the query in them.
function search(records, query) {
  const words = query.trim().split(/\s+/).filter(Boolean).map((word) => {
    const [name, value] = word.split(/=(.*)/s);
    const known = [...PARTS, 'provenance', 'verdict'].includes(name);
    return known && value ?
        (r) => r[name] === value :
        (r) => r.low.includes(word.toLowerCase()) || r.provenance === word || r.verdict === word;
  });
  return words.length ? records.filter((r) => words.every((matches) => matches(r))) : records;
}

function unique(values) {
  return [...new Set(values)];
}

// "64x32x64" after "8x8x8"; "runlist:2" before "runlist:16".
const natural = new Intl.Collator('en', {numeric: true}).compare;

function formatMs(seconds) {
  const ms = 1e3 * seconds;
  if (ms >= 100) return ms.toFixed(1);
  return ms >= 1 ? ms.toFixed(2) : ms.toPrecision(3);
}

function formatRtf(rtf) {
  return rtf >= 10 ? `${rtf.toFixed(0)}x` : `${rtf.toPrecision(2)}x`;
}

function formatAge(seconds) {
  const days = seconds / 86400;
  if (days >= 1) return `${Math.round(days)} d`;
  return days * 24 >= 1 ? `${Math.round(days * 24)} h` :
                          `${Math.max(0, Math.round(days * 1440))} min`;
}

function formatDate(seconds) {
  return new Date(1e3 * seconds).toISOString().replace('T', ' ').slice(0, 16);
}

// What is modelled is the same on all machines.
function machineOf(record) {
  return record.provenance === 'measured' ? record.environment.machine_class : '';
}

function revision(record) {
  const {git_revision: full, git_dirty: dirty} = record.environment;
  return full.slice(0, 12) + (dirty ? ' with changes' : '');
}

// Three digits, without an exponent.
function formatNumber(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function flopsPerSecond(record) {
  return record.metrics.flops / record.median;
}

function verdictText(record) {
  const headroom =
      record.good && record.headroom !== null ? ` ${record.headroom.toFixed(0)} %` : '';
  return `${SIGNS[record.verdict]} ${record.verdict}${headroom}`;
}

function provenanceText(record) {
  return `${PROVENANCE_SIGNS[record.provenance]} ${record.provenance}`;
}

// The parts that a series uses, without the dashes.
function shortName(record, parts = PARTS) {
  return parts.map((name) => record[name]).filter((value) => value !== '-').join(' · ');
}
