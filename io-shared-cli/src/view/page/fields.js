// The fields of a message, as a list that follows the newest value.

const MOST_ELEMENTS = 8;
const MOST_LINES = 400;

/** The leaves of a message: pairs of a path and a value. */
export function leaves(message) {
  const found = [];
  const walk = (path, value) => {
    if (found.length >= MOST_LINES) return;
    if (ArrayBuffer.isView(value) || Array.isArray(value)) {
      const shown = Array.from(value.slice(0, MOST_ELEMENTS));
      if (shown.some((one) => typeof one === 'object')) {
        shown.forEach((one, at) => walk(`${path}[${at}]`, one));
        if (value.length > MOST_ELEMENTS) found.push([path, `.. ${value.length} in all`]);
      } else {
        const more = value.length > MOST_ELEMENTS ? `, .. ${value.length} in all` : '';
        found.push([path, `[${shown.map(show).join(', ')}${more}]`]);
      }
    } else if (value !== null && typeof value === 'object') {
      for (const [name, one] of Object.entries(value)) walk(path ? `${path}.${name}` : name, one);
    } else {
      found.push([path, value]);
    }
  };
  walk('', message);
  return found;
}

export function show(value) {
  // What a float of 32 bits has beyond 7 digits, nobody has put.
  const isShort = typeof value === 'number' && !Number.isInteger(value) && Math.fround(value) === value;
  if (isShort) return Number(value.toPrecision(7)).toString();
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

export class Fields {
  /** `plot` is called with the path of a number that is to be drawn. */
  constructor(panel, plot) {
    this.panel = panel;
    this.plot = plot;
    this.list = document.createElement('dl');
    panel.body.append(this.list);
    this.rows = new Map();
  }

  show(message) {
    const found = leaves(message);
    const paths = new Set(found.map(([path]) => path));
    for (const [path, row] of this.rows) {
      if (!paths.has(path)) {
        row.forEach((element) => element.remove());
        this.rows.delete(path);
      }
    }
    for (const [path, value] of found) {
      const [, shown] = this.rows.get(path) ?? this.row(path, value);
      const text = typeof value === 'string' && /^(\[|\.\. )/.test(value) ? value : show(value);
      const to = shown.firstElementChild ?? shown;
      if (to.textContent !== text) to.textContent = text;
    }
    this.panel.numbers(message.io_seq === undefined ? '' : `value ${message.io_seq}`);
  }

  row(path, value) {
    const [name, shown] = [document.createElement('dt'), document.createElement('dd')];
    name.textContent = path;
    shown.dataset.path = path;
    if (typeof value === 'number' || typeof value === 'bigint') {
      const button = document.createElement('button');
      button.title = `Draw ${path} over time`;
      button.addEventListener('click', () => this.plot(path));
      shown.append(button);
    }
    this.list.append(name, shown);
    this.rows.set(path, [name, shown]);
    return [name, shown];
  }
}
