// What is shown lives in the address (#view?key=value), so that a link carries it.

function readState() {
  const [view, query] = location.hash.slice(1).split(/\?(.*)/s);
  return {view, params: new URLSearchParams(query || '')};
}

function hashOf(view, params) {
  const kept = new URLSearchParams([...params].filter(([, value]) => value !== ''));
  return '#' + view + (kept.size ? '?' + kept : '');
}

function parameter(name, fallback = '') {
  return readState().params.get(name) ?? fallback;
}

// An empty value takes the key out of the address.
function setParameter(name, value) {
  const {view, params} = readState();
  params.set(name, value);
  history.replaceState(null, '', hashOf(view || VIEWS[0].name, params));
  render();
}

// A link to a view; the filter and the theme go along, unless replaced.
function linkTo(view, changes = {}) {
  const params = new URLSearchParams();
  for (const name of ['q', 'theme']) params.set(name, parameter(name));
  for (const [name, value] of Object.entries(changes)) params.set(name, value);
  return hashOf(view, params);
}
