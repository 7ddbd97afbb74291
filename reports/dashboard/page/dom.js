// Elements. Text goes in as text: a record may have been written by anybody.

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on'))
      node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false)
      node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

// A view without data: what is missing, and the command that makes it.
function sayEmpty(parent, why, command) {
  const filtered = parameter('q') ? ` The filter is “${parameter('q')}”.` : '';
  parent.append(element(
      'div', {class: 'empty', role: 'status'}, why + filtered,
      ...(command ? [element('code', {}, command)] : [])));
}

// Selects whose choices are in the address. Returns the chosen values by name.
//   choices: [{name, label, options: [value or [value, text]], fallback}]
function controls(parent, choices) {
  const row = element('div', {class: 'controls'});
  const chosen = {};
  for (const {name, label, options, fallback} of choices) {
    const pairs = options.map((o) => Array.isArray(o) ? o : [o, o]);
    const asked = parameter(name);
    const value = pairs.some(([v]) => v === asked) ? asked : fallback ?? pairs[0][0];
    chosen[name] = value;
    const select = element(
        'select', {id: `choose-${name}`, onchange: (e) => setParameter(name, e.target.value)},
        ...pairs.map(([v, text]) => element('option', {value: v, selected: v === value}, text)));
    row.append(element('label', {}, label, select));
  }
  parent.append(row);
  return chosen;
}
