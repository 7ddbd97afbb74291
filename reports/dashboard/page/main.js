// Which view is shown, and what the header's controls do.

const VIEWS = [
  {
    name: 'headline',
    title: 'Headline',
    show: viewHeadline,
    about: 'Seconds of speech over seconds of computing, of the newest run of the best schedule.'
  },
  {
    name: 'ladder',
    title: 'Ladder',
    show: viewLadder,
    about:
        'Schedules from the naive to the resident one: what was claimed (for seed-3001) and found.'
  },
  {
    name: 'history',
    title: 'History',
    show: viewHistory,
    about:
        'Medians of a series over time. A step is a lasting change beyond the noise of that series.'
  },
  {
    name: 'roofline',
    title: 'Roofline',
    show: viewRoofline,
    about: 'Each op where its FLOPs per byte put it, under what compute and memory allow.'
  },
  {
    name: 'budget',
    title: 'Budget',
    show: viewBudget,
    about: 'Where the time of one window goes, against what the target allows.'
  },
  {
    name: 'sweep',
    title: 'Sweep',
    show: viewSweep,
    about: 'Tile shapes (rows) by batch and reuse of buffers (columns).'
  },
  {
    name: 'coverage',
    title: 'Coverage',
    show: viewCoverage,
    about: 'What was verified, where, with which result, and how long ago.'
  },
  {
    name: 'headroom',
    title: 'Headroom',
    show: viewHeadroom,
    about: 'How far each result is from the limit at which its verdict turns.'
  },
  {
    name: 'records',
    title: 'Records',
    show: viewRecords,
    about: 'Every record that went into this page.'
  },
];

const DATA = decode(JSON.parse(document.getElementById('data').textContent));
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

function currentView() {
  return VIEWS.find((view) => view.name === readState().view) ?? VIEWS[0];
}

function applyTheme() {
  const asked = parameter('theme');
  const dark = asked ? asked === 'dark' : prefersDark.matches;
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  document.getElementById('theme').textContent = dark ? 'Light' : 'Dark';
}

function toggleTheme() {
  setParameter('theme', isDark() ? 'light' : 'dark');
}

function renderNavigation(current) {
  document.getElementById('views').replaceChildren(...VIEWS.map(
      (view) => element(
          'a', {'href': linkTo(view.name), 'aria-current': view === current ? 'page' : undefined},
          view.title)));
}

function render() {
  const focused = document.activeElement?.id;
  applyTheme();
  const view = currentView();
  renderNavigation(view);
  const filter = document.getElementById('filter');
  if (filter !== document.activeElement) filter.value = parameter('q');
  const main = document.getElementById('main');
  main.querySelectorAll('.chart').forEach((node) => Plotly.purge(node));
  main.replaceChildren(element('h2', {}, view.title), element('p', {class: 'about'}, view.about));
  view.show(main, search(DATA.records, parameter('q')));
  document.title = `${view.title}: xdna-whisper-bench`;
  // Controls are made anew; whoever works with the keyboard stays where they were.
  if (focused) document.getElementById(focused)?.focus();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const view = VIEWS[Number(event.key) - 1];
  if (view)
    location.hash = linkTo(view.name);
  else if (event.key === 'd')
    toggleTheme();
  else if (event.key === '/')
    document.getElementById('filter').focus();
  else
    return;
  event.preventDefault();
}

function start() {
  let typing = 0;
  document.getElementById('filter').addEventListener('input', (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => setParameter('q', event.target.value), 150);
  });
  document.getElementById('theme').addEventListener('click', toggleTheme);
  document.getElementById('skip').addEventListener('click', (event) => {
    event.preventDefault();
    document.getElementById('main').focus();
  });
  document.addEventListener('keydown', onKey);
  window.addEventListener('hashchange', render);
  prefersDark.addEventListener('change', render);
  document.getElementById('sources').textContent =
      `${DATA.records.length} records of ${DATA.sources.join(', ')}; ` +
      `page made ${formatDate(DATA.generated)} UTC. Charts: Plotly.js, MIT licence.`;
  render();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

start();
