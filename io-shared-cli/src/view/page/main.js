// The page: the list of channels, and a panel for each value that is looked at.

import { Connection } from './connection.js';
import { Reader, labels } from './cdr.js';
import { Fields } from './fields.js';
import { Picture } from './picture.js';
import { Plot } from './plot.js';
import { Scene } from './scene.js';

const LIST = '/io_shared/channels';
const FRAMES = '/tf_static';
const KEPT = 16; // clouds that wait for their labels
const PATIENCE = 2000; // milliseconds for which they do
const CLOUD = 'sensor_msgs/msg/PointCloud2';
const PICTURES = ['sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'];

const $ = (id) => document.getElementById(id);

/** An element of that class with that text. */
function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A frame around a value: its title, its numbers, and a button that closes it. */
class Panel {
  constructor(kind, title, close) {
    this.element = make('article', `panel ${kind}`);
    this.element.dataset.title = title;
    this.head = make('header');
    this.figures = make('span', 'numbers');
    const button = make('button', 'close', 'close');
    button.addEventListener('click', close);
    this.head.append(make('h2', '', title), this.figures, button);
    this.body = make('div');
    this.element.append(this.head, this.body);
    $('panels').append(this.element);
  }

  numbers(text) {
    this.figures.textContent = text;
    this.figures.classList.remove('wrong');
  }

  wrong(text) {
    this.figures.textContent = text;
    this.figures.classList.add('wrong');
  }

  remove() {
    this.element.remove();
  }
}

/** Messages of a topic, of which the newest is decoded when the page is drawn. */
class Source {
  constructor(name, show) {
    Object.assign(this, { name, show, reader: null, topic: null, newest: null, count: 0 });
    this.take = (buffer, start, time, topic) => {
      if (this.topic !== topic.id) {
        [this.topic, this.reader] = [topic.id, new Reader(topic.schema)];
      }
      this.count++;
      this.newest = { buffer, start, time };
      page.redraw();
    };
    page.connection.want(name, this.take);
  }

  /** The newest message, if it was not shown yet. */
  next() {
    const { newest } = this;
    this.newest = null;
    return newest && { message: this.reader.read(newest.buffer, newest.start), time: newest.time };
  }

  stop() {
    page.connection.drop(this.name, this.take);
  }
}

/** A channel of a generated type: its fields, and plots of its numbers. */
class FieldsView {
  constructor(topic) {
    this.name = topic.topic;
    this.panel = new Panel('fields', this.name, () => page.close(this.name));
    this.fields = new Fields(this.panel, (path) => this.plot(path));
    this.plots = new Map();
    this.source = new Source(this.name);
  }

  plot(path) {
    if (this.plots.has(path)) return;
    const close = () => {
      this.plots.get(path)?.panel.remove();
      this.plots.delete(path);
    };
    this.plots.set(path, new Plot(new Panel('plot', `${this.name} ${path}`, close), path));
  }

  draw() {
    const next = this.source.next();
    if (next) {
      this.fields.show(next.message);
      for (const [path, plot] of this.plots) plot.add(next.time, at(next.message, path));
    }
    for (const plot of this.plots.values()) plot.draw();
  }

  wrong(text) {
    this.panel.wrong(text);
  }

  close() {
    this.source.stop();
    this.panel.remove();
    for (const plot of this.plots.values()) plot.panel.remove();
  }
}

/** What a path such as `pose.x` or `values[3]` leads to. */
function at(message, path) {
  return path.split(/[.[\]]+/).filter(Boolean).reduce((value, name) => value?.[name], message);
}

class PictureView {
  constructor(topic) {
    this.name = topic.topic;
    this.panel = new Panel('picture', this.name, () => page.close(this.name));
    this.picture = new Picture(this.panel);
    this.source = new Source(this.name);
  }

  draw() {
    const next = this.source.next();
    if (next) this.picture.show(next.message).catch((error) => this.wrong(error.message));
  }

  wrong(text) {
    this.panel.wrong(text);
  }

  close() {
    this.source.stop();
    this.panel.remove();
  }
}

/** A cloud in the scene that all clouds share. */
class CloudView {
  constructor(topic) {
    this.name = topic.topic;
    this.panel = page.scenePanel();
    this.clouds = [];   // { seq, buffer, start }, the newest last
    this.labels = new Map();
    this.by = 'height';
    this.labelled = null;
    this.count = 0;
    this.row = make('span', 'cloud');
    this.figures = make('span', 'numbers', `${this.name}: no value yet`);
    this.figures.dataset.cloud = this.name;
    this.choice = make('select');
    this.choice.setAttribute('aria-label', `Colour of ${this.name}`);
    this.choice.addEventListener('change', () => this.choose(this.choice.value));
    this.row.append(this.figures, ' ', this.choice);
    this.panel.head.insertBefore(this.row, this.panel.figures.nextSibling);
    this.listen();
  }

  listen() {
    let waiting = null;
    const [cloudReader, headReader] = [new Map(), new Map()];
    const reader = (known, topic) => {
      if (!known.has(topic.id)) known.set(topic.id, new Reader(topic.schema));
      return known.get(topic.id);
    };
    // The points come first, and then, of the same time, what says which value they are.
    this.takePoints = (buffer, start, time, topic) => {
      waiting = { buffer, start, time, reader: reader(cloudReader, topic) };
    };
    this.takeHead = (buffer, start, time, topic) => {
      const head = reader(headReader, topic).read(buffer, start);
      if (waiting?.time !== time) return;
      this.count++;
      this.clouds.push({ ...waiting, seq: head.io_seq });
      if (this.clouds.length > KEPT) this.clouds.shift();
      waiting = null;
      page.redraw();
    };
    page.connection.want(this.name, this.takePoints);
    page.connection.want(`${this.name}/_io`, this.takeHead);
    this.offer();
  }

  /** The ways to colour: those of the newest cloud, and the channels that may have labels. */
  offer(fields = []) {
    const named = [...page.connection.topics.values()].filter((topic) =>
      topic.schemaName.startsWith('io_shared_msgs/') && !topic.topic.endsWith('/_io') &&
      /^u?int\d+\[\]/m.test(topic.schema));
    const options = ['height', ...fields, ...named.map((topic) => `labels ${topic.topic}`)];
    if (options.join() === this.options) return;
    this.options = options.join();
    this.choice.replaceChildren(...options.map((name) => {
      const option = make('option', '', name);
      option.value = name;
      return option;
    }));
    const likely = options.find((name) => /^labels .*label/.test(name));
    if (!this.isChosen && likely && likely !== this.by) this.choose(likely, true);
    this.choice.value = this.labelled ? `labels ${this.labelled.name}` : this.by;
  }

  choose(by, isGuess = false) {
    this.isChosen ||= !isGuess;
    this.labelled?.stop();
    this.labelled = null;
    this.labels.clear();
    this.by = by;
    this.note = null; // the cloud is drawn anew, also where no other one comes
    if (by.startsWith('labels ')) {
      this.labelled = new Source(by.slice('labels '.length));
      this.labelledSince = performance.now();
      setTimeout(() => page.redraw(), PATIENCE);
    }
    this.choice.value = by;
    page.redraw();
  }

  draw() {
    const next = this.labelled?.next();
    if (next) {
      this.labels.set(next.message.io_tag, next.message);
      if (this.labels.size > KEPT) this.labels.delete(this.labels.keys().next().value);
    }
    const newest = this.clouds.at(-1);
    if (!newest) return;
    let [shown, by, note] = [newest, this.by, ''];
    if (this.labelled) {
      const labelled = this.clouds.findLast(({ seq }) => this.labels.has(seq));
      if (labelled) this.labelledSince = performance.now();
      // A cloud waits for its labels, but not for ever.
      if (!labelled && performance.now() - this.labelledSince < PATIENCE && this.shown) return;
      shown = labelled ?? newest;
      by = 'height';
      note = labelled ? `, labels of ${this.labelled.name}` : ', no labels for it';
    }
    if (shown.seq === this.shown && note === this.note) return;
    [this.shown, this.note] = [shown.seq, note];
    const cloud = shown.reader.read(shown.buffer, shown.start);
    const message = this.labels.get(shown.seq); // before another channel of labels is chosen
    this.offer(cloud.fields.map(({ name }) => name).filter((name) => !/^[xyz]$/.test(name)));
    const count = cloud.width * cloud.height;
    const colors = note.startsWith(', labels') && labels(message, count);
    if (note.startsWith(', labels') && !colors) note = ', with another number of labels';
    page.scene.show(this.name, cloud, colors || by);
    this.figures.textContent =
      `${this.name}: value ${shown.seq}, ${count.toLocaleString('en')} points${note}`;
    this.figures.classList.remove('wrong');
    this.figures.dataset.seq = shown.seq;
    this.figures.dataset.points = count;
    // The newest ones may still get their labels.
    this.clouds = this.clouds.filter(({ seq }) => seq >= shown.seq);
  }

  wrong(text) {
    this.figures.textContent = text;
    this.figures.classList.add('wrong');
    // What comes under this name now is another's.
    this.clouds = [];
    this.labels.clear();
    this.shown = this.note = null;
  }

  close() {
    page.connection.drop(this.name, this.takePoints);
    page.connection.drop(`${this.name}/_io`, this.takeHead);
    this.labelled?.stop();
    this.row.remove();
    page.scene.hide(this.name);
    page.leaveScene();
  }
}

const page = {
  views: new Map(), // by the topic's name
  scene: null,
  isDue: false,

  start() {
    this.wanted = new Set(decodeURIComponent(location.hash.slice(1)).split(',').filter(Boolean));
    this.connection = new Connection({
      state: (text, isWrong) => {
        $('state').textContent = text;
        $('state').classList.toggle('wrong', isWrong);
      },
      come: (topic) => {
        const [view, isWanted] = [this.views.get(topic.topic), this.wanted.has(topic.topic)];
        // What comes under the name of what was shown may be something else.
        if (view && !this.canShow(view, topic)) this.close(topic.topic);
        if (isWanted && !this.views.has(topic.topic)) this.open(topic);
      },
      gone: (topic) => this.gone(topic),
      notice: (text) => this.notice(text),
    });
    this.connection.want(LIST, (buffer, start) => {
      const text = new TextDecoder().decode(new Uint8Array(buffer, start));
      this.list(JSON.parse(text).channels);
    });
    $('list').addEventListener('keydown', (event) => {
      const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const buttons = [...$('list').querySelectorAll('button:not([disabled])')];
      const at = buttons.indexOf(document.activeElement);
      if (!way || at < 0) return;
      event.preventDefault();
      buttons[Math.min(Math.max(at + way, 0), buttons.length - 1)].focus();
    });
  },

  list(channels) {
    $('hint').hidden = false;
    if (!channels.length) {
      $('list').replaceChildren();
      $('state').textContent = 'connected: no program has created a channel yet';
      return;
    }
    $('state').textContent = `connected: ${channels.length} channels`;
    const rows = new Map([...$('list').children].map((row) => [row.dataset.name, row]));
    for (const channel of channels) {
      const row = rows.get(channel.name) ?? this.row(channel.name);
      rows.delete(channel.name);
      this.fill(row, channel);
    }
    rows.forEach((row) => row.remove());
  },

  row(name) {
    const row = make('tr');
    row.dataset.name = name;
    const cell = make('td');
    const button = make('button', '', name);
    button.addEventListener('click', () => this.toggle(row.dataset.topic));
    cell.append(button, make('small'));
    row.append(cell, make('td', 'rate'), make('td', 'age'), make('td', 'size'));
    $('list').append(row);
    return row;
  },

  fill(row, channel) {
    const topic = this.connection.topics.get(channel.topics[0]);
    row.dataset.topic = topic?.topic ?? '';
    const [button, small] = row.firstElementChild.children;
    button.disabled = !topic;
    button.setAttribute('aria-pressed', this.views.has(topic?.topic));
    const who = (one) => `${one.name ?? one.command ?? '?'}${one.pid ? ` (${one.pid})` : ''}`;
    const there = (all) => all.filter((one) => one?.connected).map(who).join(', ');
    const from = there([channel.producer]) || 'no producer';
    const to = there(channel.consumers ?? []) || 'no consumers';
    const states = { absent: 'not there yet', 'no permission': 'this user may not read it' };
    small.textContent = channel.state === 'region'
      ? `${channel.type}; ${from} to ${to}${topic ? '' : '; no value yet'}`
      : states[channel.state] ?? channel.state;
    const set = (name, text) => row.querySelector(`.${name}`).textContent = text;
    set('rate', channel.rate ? `${Number(channel.rate.toPrecision(3))} Hz` : '');
    set('age', typeof channel.age === 'number' ? duration(channel.age) : '');
    set('size', channel.value_bytes ? bytes(channel.value_bytes) : '');
  },

  toggle(name) {
    if (this.views.has(name)) return this.close(name);
    const topic = this.connection.topic(name);
    if (topic) this.open(topic);
  },

  /** What shows a topic. */
  kind(topic) {
    // A cloud's number comes next to it. What is CDR in its channel has none.
    const isCloud = topic.schemaName === CLOUD && this.connection.topic(`${topic.topic}/_io`);
    return isCloud ? CloudView : PICTURES.includes(topic.schemaName) ? PictureView : FieldsView;
  },

  canShow(view, topic) {
    return view.schemaName === topic.schemaName && view instanceof this.kind(topic);
  },

  open(topic) {
    try {
      const view = new (this.kind(topic))(topic);
      view.schemaName = topic.schemaName;
      this.views.set(topic.topic, view);
      this.wanted.add(topic.topic);
    } catch (error) {
      this.notice(`${topic.topic}: ${error.message}`);
    }
    this.remember();
  },

  close(name) {
    this.views.get(name)?.close();
    this.views.delete(name);
    this.wanted.delete(name);
    this.remember();
  },

  /** What is open stays open when the page is loaded anew. */
  remember() {
    history.replaceState(null, '', `#${[...this.wanted].map(encodeURIComponent).join(',')}`);
    for (const row of $('list').children) {
      row.querySelector('button').setAttribute('aria-pressed', this.views.has(row.dataset.topic));
    }
  },

  gone(topic) {
    // A channel whose values have become something else is told of anew at once.
    setTimeout(() => {
      if (this.connection.topic(topic.topic)) return;
      this.views.get(topic.topic)?.wrong(
        `${topic.topic} has gone; it is shown again when it comes back`);
    }, 200);
  },

  notice(text) {
    const known = [...$('notices').children].find((item) => item.textContent === text);
    known?.remove();
    $('notices').prepend(make('li', '', text));
    while ($('notices').children.length > 5) $('notices').lastElementChild.remove();
  },

  scenePanel() {
    if (!this.scene) {
      const close = () => [...this.views].filter(([, view]) => view instanceof CloudView)
        .forEach(([name]) => this.close(name));
      this.panelOfScene = new Panel('scene wide', 'Points', close);
      try {
        this.scene = new Scene(this.panelOfScene, () => this.redraw());
      } catch (error) {
        this.panelOfScene.remove();
        throw error;
      }
      this.takeFrames = (buffer, start, time, topic) =>
        this.scene?.place(new Reader(topic.schema).read(buffer, start));
      this.connection.want(FRAMES, this.takeFrames);
    }
    return this.panelOfScene;
  },

  leaveScene() {
    if (this.scene?.clouds.size) return;
    if ([...this.views.values()].filter((view) => view instanceof CloudView).length > 1) return;
    this.connection.drop(FRAMES, this.takeFrames);
    this.panelOfScene.remove();
    this.scene = null;
  },

  redraw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      for (const view of this.views.values()) {
        try {
          view.draw();
        } catch (error) {
          view.wrong(error.message);
        }
      }
      this.isDue = false;
      this.scene?.draw();
    });
  },
};

function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB'];
  const at = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), units.length - 1);
  return `${Number((count / 1000 ** at).toPrecision(3))} ${units[at]}`;
}

page.start();
