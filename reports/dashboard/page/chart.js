// One look for all charts: colours by data type, marks by provenance.

// Okabe and Ito's palette, which people with any colour vision can tell apart; on dark, its
// lighter members come first.
const PALETTES = {
  light: ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'],
  dark: ['#56B4E9', '#E69F00', '#00B584', '#CC79A7', '#F0E442', '#D55E00'],
};
const DTYPES = ['f32', 'bf16', 'int8'];
// Measured and modelled never share a mark.
const MARKS = {
  measured: {symbol: 'circle', dash: 'solid'},
  modelled: {symbol: 'diamond-open', dash: 'dash'},
};
const TARGET_DASH = 'dot';

function isDark() {
  return document.documentElement.dataset.theme === 'dark';
}

function isNarrow() {
  return window.innerWidth <= 600;
}

function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function dtypeColour(dtype) {
  const palette = PALETTES[isDark() ? 'dark' : 'light'];
  const at = DTYPES.indexOf(dtype);
  if (at >= 0) return palette[at];
  const others = unique(DATA.records.map((r) => r.dtype)).filter((d) => !DTYPES.includes(d)).sort();
  return palette[DTYPES.length + others.indexOf(dtype) % (palette.length - DTYPES.length)];
}

// Plotly reads a few HTML tags in texts.
function plain(text) {
  return String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

// What the pointer shows over a record.
function hoverText(record, ...first) {
  const lines = [
    ...first, shortName(record), `${verdictText(record)}, ${record.provenance}`,
    record.median === null ? '' :
                             `${formatMs(record.median)} ms, spread ${record.spread.toFixed(1)} %`,
    `${revision(record)}, ${formatDate(record.date)}`,
    record.overloaded ? `beside other programs: load ${record.load}` : ''
  ];
  return lines.filter(Boolean).map(plain).join('<br>');
}

// Traces of points, one for each data type and provenance: what the legend lists.
// `names`: what stands beside a point.
function pointTraces(
    records, x, y, {size = 10, opacity = 1, label = '', hover = () => [], names} = {}) {
  const groups = groupBy(records, (r) => `${r.dtype}, ${r.provenance}${label}`);
  return [...groups]
      .sort(([a], [b]) => natural(a, b))
      .map(([name, list]) => ({
             type: 'scatter',
             mode: 'markers',
             name: plain(name),
             x: list.map(x),
             y: list.map(y),
             opacity,
             marker: {
               size,
               color: dtypeColour(list[0].dtype),
               symbol: MARKS[list[0].provenance].symbol,
               line: {width: list[0].provenance === 'modelled' ? 2 : 0}
             },
             hovertext: list.map((r) => hoverText(r, ...hover(r))),
             hoverinfo: 'text',
             ...(names && {
               mode: 'markers+text',
               text: list.map((r) => plain(names(r))),
               textposition: 'middle right',
               textfont: {size: 11}
             }),
           }));
}

function axis(title, more = {}) {
  return {
    title: {text: title},
    gridcolor: cssColour('line'),
    zerolinecolor: cssColour('line'),
    linecolor: cssColour('line'),
    automargin: true,
    ...more
  };
}

// Names from the top down, with room above them for those of upright lines.
function nameAxis(names) {
  return axis('', {
    type: 'category',
    categoryorder: 'array',
    categoryarray: names,
    range: [names.length - 0.4, -0.9]
  });
}

// 1, 2, 5, 10, ... between two numbers.
function roundNumbers(least, most) {
  const numbers = [];
  for (let e = Math.floor(Math.log10(least)); e <= Math.log10(most); ++e) {
    numbers.push(
        ...[1, 2, 5].map((m) => Number(`${m}e${e}`)).filter((n) => n >= least && n <= most));
  }
  return numbers;
}

// Around the values, with room on both sides; a decade at least.
function logRange(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(1.4, Math.sqrt(10 * least / most));
  return [least / room, most * room];
}

// A logarithmic axis with plain numbers, around the values; decades only where it is long.
function logAxis(title, values, more = {}) {
  const [least, most] = logRange(values);
  const numbers = roundNumbers(least, most);
  const few = numbers.length <= (isNarrow() ? 6 : 12);
  const shown = few ? numbers : numbers.filter((n) => Number.isInteger(Math.log10(n)));
  return axis(title, {
    type: 'log',
    range: [least, most].map(Math.log10),
    tickvals: shown,
    ticktext: shown.map((n) => Math.abs(n) >= 1e4 ? n.toExponential(0) : String(n)),
    ...more
  });
}

// An upright line across the plot at a value, with its name on one side.
function valueLine(value, text, side = 'left') {
  const colour = cssColour('text');
  return {
    type: 'line',
    x0: value,
    x1: value,
    yref: 'paper',
    y0: 0,
    y1: 1,
    line: {color: colour, dash: TARGET_DASH, width: 2},
    label: {
      text: plain(text),
      font: {color: colour, size: 12},
      textangle: 0,
      textposition: 'end',
      yanchor: 'top',
      xanchor: side === 'left' ? 'right' : 'left'
    }
  };
}

// A chart of one record's numbers has no legend; its title says where they are from.
function chartMark(record) {
  return {text: plain(provenanceText(record)), font: {size: 14}, x: 0.01, y: 0.99, yanchor: 'top'};
}

function draw(parent, name, traces, layout, height = 420) {
  const node = element(
      'div', {class: 'chart', id: `chart-${name}`, role: 'img', 'aria-label': layout.about});
  parent.append(node);
  const narrow = isNarrow();
  const {about, ...rest} = layout;
  return Plotly.newPlot(
      node, traces, {
        // The legend takes its rows from the plot.
        height: height + (narrow ? 12 * traces.length : 0),
        paper_bgcolor: cssColour('back'),
        plot_bgcolor: cssColour('back'),
        font: {
          color: cssColour('text'),
          size: narrow ? 11 : 13,
          family: 'system-ui, "DejaVu Sans", sans-serif'
        },
        margin: narrow ? {l: 44, r: 8, t: 24, b: 40} : {l: 60, r: 20, t: 28, b: 48},
        legend: {orientation: 'h', y: 1.02, yanchor: 'bottom', x: 0},
        showlegend: true,
        hoverlabel: {align: 'left'},
        ...rest,
      },
      {
        responsive: true,
        displaylogo: false,
        displayModeBar: narrow ? false : 'hover',
        modeBarButtons: [['toImage', 'zoom2d', 'pan2d', 'resetScale2d']]
      });
}
