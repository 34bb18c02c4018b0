// Looks at `io-shared view` in headless Chromium, and connects to it with Foxglove's own client and
// with Foxglove Studio.
//
//   view.mjs BINARIES PICTURES STUDIO
//
// BINARIES has io-shared, examples/view_scene and examples/perception_pipeline; pictures of the page
// are written to PICTURES; STUDIO is what ci/studio.sh installs. Next to this script is
// node_modules, as ci/view.sh installs it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import protocol from '@foxglove/ws-protocol';
import rosmsg from '@foxglove/rosmsg';
import serialization from '@foxglove/rosmsg2-serialization';
import { chromium } from 'playwright-core';
import WebSocket from 'ws';

const { FoxgloveClient } = protocol;
const { parse } = rosmsg;
const { MessageReader } = serialization;
const [binaries, pictures, studio] = process.argv.slice(2);
const POINTS = 120_000;
const prefix = `/seen-${process.pid}`;
const topic = (what) => `${prefix}_${what}`.replace(/-/g, '_');
const started = new Set();

function start(program, ...args) {
  const child = spawn(join(binaries, program), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  started.add(child);
  child.once('exit', () => started.delete(child));
  return child;
}

/** A server, and what it says: its addresses. */
async function view(...args) {
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const child = start('io-shared', 'view', '--json', ...listen, ...args);
  const [line] = await Promise.race([
    createInterface({ input: child.stdout })[Symbol.asyncIterator]().next().then(({ value }) => [value]),
    sleep(30_000).then(() => assert.fail('the server said nothing')),
  ]);
  return { child, ...JSON.parse(line) };
}

async function stop(child) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await ended;
}

/** Waits for something on a page. */
async function until(what, condition, patience = 30_000) {
  const end = Date.now() + patience;
  for (let last; ;) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    assert(Date.now() < end, `${what}: ${last}`);
    await sleep(50);
  }
}

/** The pixels of a canvas that pass a test: how many, and how many in each column. */
const pixels = (page, selector, test) => page.evaluate(([selector, test]) => {
  const canvas = document.querySelector(selector);
  const copy = Object.assign(document.createElement('canvas'),
    { width: canvas.width, height: canvas.height });
  const paper = copy.getContext('2d');
  paper.drawImage(canvas, 0, 0);
  const { data } = paper.getImageData(0, 0, copy.width, copy.height);
  const passes = new Function('r', 'g', 'b', `return ${test}`);
  const columns = new Array(copy.width).fill(0);
  let [count, sum] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    sum = (sum * 31 + data[at] + data[at + 1] * 3 + data[at + 2] * 7) % 1_000_000_007;
    if (passes(data[at], data[at + 1], data[at + 2])) {
      count += 1;
      columns[(at / 4) % copy.width] += 1;
    }
  }
  return { count, columns, sum };
}, [selector, test]);

const LIT = 'Math.max(r, g, b) > 120';
/** The runs of columns that have pixels, those apart from each other by 3 % of the width. */
function groups(columns) {
  const gap = columns.length * 0.03;
  const found = [];
  columns.forEach((count, x) => {
    if (!count) return;
    const last = found.at(-1);
    if (last && x - last.to <= gap) {
      last.to = x;
      last.count += count;
    } else {
      found.push({ from: x, to: x, count });
    }
  });
  const all = found.reduce((sum, { count }) => sum + count, 0);
  return found.filter(({ count }) => count > all / 20);
}

/** What the page says of a cloud. */
const cloud = (page, what) => page.evaluate((name) => {
  const { seq, points } = document.querySelector(`[data-cloud="${name}"]`)?.dataset ?? {};
  return seq && { seq: Number(seq), points: Number(points) };
}, topic(what));

const opened = (url, ...what) => `${url}#${what.map((name) => encodeURIComponent(topic(name))).join()}`;

async function open(browser, url, width = 1400, height = 1000) {
  const page = await browser.newPage({ viewport: { width, height } });
  page.on('pageerror', (error) => assert.fail(`the page failed: ${error.stack}`));
  // What it says of clouds that it cannot show, however briefly.
  await page.addInitScript(() => {
    window.faults = [];
    const note = () => document.querySelectorAll('[data-cloud].wrong')
      .forEach((figures) => window.faults.push(figures.textContent));
    new MutationObserver(note).observe(document, { subtree: true, childList: true, attributes: true });
  });
  await page.goto(url);
  return page;
}

async function seesClouds(browser, url) {
  const page = await open(browser, opened(url, 'left', 'right'));
  await until('both clouds', async () => await cloud(page, 'left') && await cloud(page, 'right'));
  // Under the transform they lie apart, each where the file says.
  await until('two squares', async () =>
    groups((await pixels(page, '.scene canvas', LIT)).columns).length === 2);
  // The numbers are those of values that were put.
  for (let at = 0; at < 20; at += 1) {
    for (const what of ['left', 'right']) {
      const { seq, points } = await cloud(page, what);
      assert.equal(points, POINTS - seq, `${what} ${seq}`);
    }
    await sleep(100);
  }
  // The keyboard turns the view.
  const before = (await pixels(page, '.scene canvas', LIT)).sum;
  await page.focus('.scene canvas');
  await page.keyboard.press('ArrowLeft');
  await until('another view', async () => (await pixels(page, '.scene canvas', LIT)).sum !== before);
  await page.close();
}

async function seesOneWithoutFrames(browser) {
  const { child, url } = await view(`${prefix}_left`, `${prefix}_right`);
  const page = await open(browser, opened(url, 'left', 'right'));
  await until('both clouds', async () => await cloud(page, 'left') && await cloud(page, 'right'));
  await until('one square without frames', async () =>
    groups((await pixels(page, '.scene canvas', LIT)).columns).length === 1);
  await page.close();
  await stop(child);
}

/**
 * How many values of one cloud of 120,000 points are drawn in a second, and how many milliseconds
 * the page's own scripts take for each.
 */
async function rate(browser, url) {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  await page.addInitScript(() => {
    window.spent = 0;
    const timed = (callback) => (...all) => {
      const start = performance.now();
      callback(...all);
      window.spent += performance.now() - start;
    };
    const later = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (callback) => later(timed(callback));
    const { set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
    Object.defineProperty(WebSocket.prototype, 'onmessage', {
      set(callback) { set.call(this, timed(callback)); },
    });
  });
  await page.goto(opened(url, 'left'));
  await until('the cloud', () => cloud(page, 'left'));
  const found = await page.evaluate((name) => new Promise((resolve) => {
    let seen = 0;
    const before = window.spent;
    const figures = document.querySelector(`[data-cloud="${name}"]`);
    new MutationObserver(() => seen += 1).observe(figures, { attributeFilter: ['data-seq'] });
    setTimeout(() => resolve({ hertz: seen / 5, milliseconds: (window.spent - before) / seen }), 5000);
  }), topic('left'));
  await page.close();
  return found;
}

async function seesPicturesAndNumbers(browser, url) {
  const page = await open(browser, opened(url, 'image', 'depth', 'state'));
  const at = (what, x, y) => page.evaluate(([title, x, y]) => {
    const canvas = document.querySelector(`[data-title="${title}"] canvas`);
    return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data.slice(0, 3)];
  }, [topic(what), x, y]);
  const says = (what, selector) => page.textContent(`[data-title="${topic(what)}"] ${selector}`);
  await until('the image', async () => (await says('image', '.numbers')) === '64 x 48 rgb8');
  assert.deepEqual(await at('image', 10, 10), [255, 0, 0]);
  assert.deepEqual(await at('image', 50, 10), [0, 255, 0]);
  assert.deepEqual(await at('image', 10, 40), [0, 0, 255]);
  assert.deepEqual(await at('image', 50, 40), [255, 255, 255]);
  await until('the depths', async () =>
    (await says('depth', '.numbers')) === '64 x 48 16UC1, 1000 to 1047');
  assert.deepEqual(await at('depth', 3, 0), [255, 255, 255]);
  assert.deepEqual(await at('depth', 3, 47), [30, 30, 30]);
  const field = async (path) => Number(await says('state', `[data-path="${path}"]`));
  const numbers = () => page.evaluate((title) => ['io_seq', 'frame', 'half'].map((path) =>
    Number(document.querySelector(`[data-title="${title}"] [data-path="${path}"]`).textContent)),
  topic('state'));
  await until('the fields', () => field('frame'));
  const [seq, frame, half] = await numbers();
  assert.deepEqual([frame, half], [seq, seq / 2]);

  // A number of 64 bits has all of its digits.
  assert.deepEqual(await page.evaluate(async () => {
    const { show } = await import('/fields.js');
    return [1733000000.123456, Math.fround(0.1), 48.137154321, 7, NaN].map(show);
  }), ['1733000000.123456', '0.1', '48.137154321', '7', 'NaN']);

  await page.click(`[data-title="${topic('state')}"] [data-path="half"] button`);
  const plot = `[data-title="${topic('state')} half"]`;
  await until('a line', async () =>
    (await pixels(page, `${plot} canvas`, 'b > 200 && r < 130 && g > 120')).count > 50);
  const drawn = Number(await page.textContent(`${plot} .numbers`));
  assert(drawn >= half && Number.isInteger(drawn * 2), `${drawn}`);

  // The list says how fast they come, and the keyboard opens and closes.
  const row = `tr[data-name="${prefix}_state"]`;
  await until('a rate', async () => {
    const hz = Number((await page.textContent(`${row} .rate`)).replace(' Hz', ''));
    return hz > 2 && hz < 10.5;
  });
  const pressed = () => page.getAttribute(`${row} button`, 'aria-pressed');
  assert.equal(await pressed(), 'true');
  await page.focus(`${row} button`);
  await page.keyboard.press('Enter');
  assert.equal(await pressed(), 'false');
  await page.keyboard.press('ArrowUp');
  assert.notEqual(await page.evaluate(() => document.activeElement.textContent), `${prefix}_state`);
  await page.screenshot({ path: join(pictures, 'view-numbers.png') });
  await page.close();
}

async function fitsAPhone(browser, url) {
  const page = await open(browser, opened(url, 'left', 'state'), 390, 844);
  await until('the cloud', () => cloud(page, 'left'));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert(wide <= 390, `the page is ${wide} pixels wide`);
  await page.screenshot({ path: join(pictures, 'view-phone.png'), fullPage: true });
  await page.close();
}

async function saysWhatIsWrong(browser) {
  const [scene, name] = [start('examples/view_scene', `${prefix}x`, '600'), `${prefix}x_state`];
  const goes = async (producer) => {
    const ended = new Promise((resolve) => producer.once('exit', resolve));
    producer.kill();
    await ended;
  };
  const isRemoved = () => new Promise((resolve) => start('io-shared', 'rm', name).once('exit', resolve));
  const shown = name.replace(/-/g, '_');
  const { child, url } = await view(name);
  const page = await open(browser, `${url}#${encodeURIComponent(shown)}`);
  const says = () => page.textContent(`[data-title="${shown}"] .numbers`);
  await until('values', async () => /^value \d+$/.test(await says()));
  await goes(scene);
  await until('no producer', async () => (await page.textContent('tbody small')).includes('no producer'));
  await isRemoved();
  await until('that it has gone', async () => (await says()).includes('has gone'));
  // It comes back as something else, and then as what it was.
  const camera = start('examples/view_scene', `${prefix}x`, '600', 'camera', 'state');
  await until('pictures', async () => (await says()) === '640 x 480 rgb8');
  await goes(camera);
  await isRemoved();
  await until('that they have gone', async () => (await says()).includes('has gone'));
  const again = start('examples/view_scene', `${prefix}x`, '600');
  await until('values again', async () => /^value \d+$/.test(await says()));
  await stop(child);
  await until('that the server has gone', async () =>
    (await page.textContent('#state')).includes('the connection is lost'));
  // Another one at its address has another token.
  const other = await view('--listen', new URL(url).host, name);
  await until('that it is another one', async () =>
    (await page.textContent('#state')).includes('started anew: open the address'));
  await stop(other.child);
  await until('that it has gone, too', async () =>
    (await page.textContent('#state')).includes('the connection is lost'));
  again.kill();
  await page.close();
}

/** A cloud after which no other comes: in another colour, and again after the server was away. */
async function showsAPausedCloud(browser) {
  const paused = `${prefix}z`;
  const scene = start('examples/view_scene', paused, '600');
  const { child, url } = await view('--no-token', `${paused}_right`);
  const shown = `${paused}_right`.replace(/-/g, '_');
  const page = await open(browser, `${url}#${encodeURIComponent(shown)}`);
  const figures = `[data-cloud="${shown}"]`;
  const says = async () => (await page.textContent(figures)).replace(/, labels of .*/, '');
  try {
    await until('the cloud', async () => (await says()).includes('points'));
    scene.kill('SIGSTOP');
    let before;
    await until('the last cloud', async () => {
      const last = before;
      before = await says();
      await sleep(500);
      return last === before;
    });
    const { sum } = await pixels(page, '.scene canvas', LIT);
    await page.selectOption(`${figures} + select`, 'intensity');
    await until('other colours', async () => (await pixels(page, '.scene canvas', LIT)).sum !== sum);
    await stop(child);
    await until('that it has gone', async () => (await says()).includes('has gone'));
    const again = await view('--no-token', '--listen', new URL(url).host, `${paused}_right`);
    await until('the same cloud', async () => (await says()) === before);
    await stop(again.child);
  } finally {
    scene.kill('SIGCONT');
    await stop(scene);
  }
  await page.close();
}

async function colorsThePipeline(browser) {
  const pipe = `${prefix}p`;
  const pipeline = start('examples/perception_pipeline', '--prefix', pipe, '--frames', '100000');
  pipeline.stdout.resume();
  const [clouds, labels] = ['clouds', 'labels'].map((what) => `${pipe}_${what}`);
  const { child, url } = await view(clouds, labels);
  const [cloudTopic, labelTopic] = [clouds, labels].map((name) => name.replace(/-/g, '_'));
  const page = await open(browser, `${url}#${encodeURIComponent(cloudTopic)}`);
  const figures = `[data-cloud="${cloudTopic}"]`;
  await until('labels', async () =>
    (await page.textContent(figures)).includes(`labels of ${labelTopic}`), 60_000);
  assert.deepEqual(await page.evaluate(() => window.faults), []);
  // The ground has label 1, which is drawn in this colour and has most of the points.
  const ground = 'Math.abs(r - 89) < 6 && Math.abs(g - 138) < 8 && b > 247';
  const share = async () => {
    const { count } = await pixels(page, '.scene canvas', ground);
    return count / (await pixels(page, '.scene canvas', LIT)).count;
  };
  await until('the ground in its colour', async () => await share() > 0.2);
  const number = Number(await page.getAttribute(figures, 'data-points'));
  assert(number > 100_000, `${number} points`);
  await page.screenshot({ path: join(pictures, 'view.png') });
  await page.selectOption(`${figures} + select`, 'height');
  await until('other colours', async () => await share() < 0.02);
  await page.close();
  await stop(child);
  await stop(pipeline);
}

/** Foxglove's own client, under each name of the protocol. */
async function servesFoxglove(websocket) {
  for (const name of ['foxglove.sdk.v1', FoxgloveClient.SUPPORTED_SUBPROTOCOL]) {
    const ws = new WebSocket(websocket, [name]);
    const client = new FoxgloveClient({ ws });
    const failed = new Promise((_, reject) => client.on('error', reject));
    let [readers, heads, seen] = [new Map(), new Map(), 0];
    const done = new Promise((resolve) => {
      client.on('advertise', (channels) => {
        for (const channel of channels) {
          if (![topic('left'), `${topic('left')}/_io`].includes(channel.topic)) continue;
          assert.equal(channel.schemaEncoding, 'ros2msg');
          const reader = new MessageReader(parse(channel.schema, { ros2: true }));
          readers.set(client.subscribe(channel.id), [channel.topic, reader]);
        }
      });
      client.on('message', ({ subscriptionId, timestamp, data }) => {
        const [of, reader] = readers.get(subscriptionId);
        const message = reader.readMessage(data);
        const other = heads.get(timestamp);
        heads.set(timestamp, message);
        if (!other) return;
        const [points, head] = of.endsWith('/_io') ? [other, message] : [message, other];
        const { width, data: bytes, fields, header } = points;
        assert.equal(width, POINTS - Number(head.io_seq));
        assert.equal(head.frame, head.io_seq);
        assert.equal(header.frame_id, `${prefix.slice(1)}_left`);
        assert.deepEqual(fields.map((field) => field.name), ['x', 'y', 'z', 'intensity']);
        const floats = new Float32Array(bytes.slice().buffer);
        assert.deepEqual([...floats.slice(0, 4)], [-2, -2, 0, 0.5]);
        if ((seen += 1) === 5) resolve();
      });
    });
    await Promise.race([done, failed, sleep(30_000).then(() => assert.fail(`${seen} clouds`))]);
    assert.equal(ws.protocol, name);
    client.close();
  }
}

/** The files of Studio, at an origin of their own. */
async function serveStudio() {
  const types = { '.js': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm' };
  const server = createServer(({ url }, response) => {
    const path = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname));
    const file = join(studio, /^\/react(-dom)?\//.test(path) ? 'node_modules' : '', path);
    const isThere = existsSync(file) && statSync(file).isFile();
    response.writeHead(isThere ? 200 : 404,
      { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
    if (isThere) createReadStream(file).pipe(response);
    else response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** The real Studio, live: its list of topics, the points that it draws, and their number. */
async function showsStudio(browser) {
  const server = await serveStudio();
  const origin = `http://127.0.0.1:${server.address().port}`;
  const name = `${prefix}_left`;
  const { child, websocket } = await view('--allow-origin', origin, name);
  const page = await browser.newPage({ viewport: { width: 1400, height: 800 } });
  const query = new URLSearchParams({
    ds: 'foxglove-websocket', 'ds.url': websocket, clouds: topic('left'), labels: topic('state'),
    distance: '10', visible: 'true', frame: name.slice(1),
  });
  await page.goto(`${origin}/studio.html?${query}`);
  const lines = () => page.evaluate(() => document.body.innerText.split('\n').map((line) => line.trim()));
  await until('the topics', async () => {
    const said = await lines();
    return said.includes(topic('left')) && said.includes('sensor_msgs/msg/PointCloud2');
  }, 60_000);
  // The raw message: a number of points that was put, and later another one.
  const widths = new Set();
  await until('numbers of points', async () => {
    for (const line of await lines()) {
      if (/^119\d{3}$/.test(line)) widths.add(line);
    }
    return widths.size >= 3;
  }, 60_000);
  // The square of 4 m in its colour, in a picture 10 m high.
  await until('the square', async () => {
    const orange = 'r > 150 && g > 60 && g < 160 && b < 80';
    const { count, columns } = await pixels(page, 'canvas', orange);
    const wide = columns.filter((lit) => lit > 0).length / columns.length;
    const share = count / (columns.length * await page.evaluate(() =>
      document.querySelector('canvas').height));
    return share > 0.05 && wide > 0.15 && wide < 0.6;
  }, 60_000);
  await page.screenshot({ path: join(pictures, 'view-studio.png') });
  await page.close();
  await stop(child);
  server.close();
  server.closeAllConnections();
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
});
try {
  const frames = join(pictures, 'view-frames');
  const frame = (what) => `${prefix.slice(1)}_${what}`;
  writeFileSync(frames, `base ${frame('left')} 0 6 0\nbase ${frame('right')} 0 -6 0 0 0 1\n`);
  start('examples/view_scene', prefix, '600');
  await sleep(500);
  const names = ['left', 'right', 'image', 'depth', 'state'].map((what) => `${prefix}_${what}`);
  const { child, url, websocket } = await view('--tf', frames, ...names);
  const say = (text) => console.log(`view: ${text}`);
  await seesClouds(browser, url);
  say('two clouds lie apart under their frames, and their numbers are those that were put');
  await seesOneWithoutFrames(browser);
  let { hertz, milliseconds } = await rate(browser, url);
  for (let again = 0; again < 2 && (hertz <= 2 || milliseconds >= 10); again += 1) {
    ({ hertz, milliseconds } = await rate(browser, url)); // other programs may have run
  }
  say(`${POINTS} points, put at 10 Hz at most, are drawn ${hertz} times a second; the page's own ` +
    `scripts take ${milliseconds.toFixed(1)} ms of that for each`);
  // Chromium draws by software here, which takes most of the rest.
  assert(hertz > 2, `${hertz}`);
  assert(milliseconds < 10, `${milliseconds} ms`);
  await seesPicturesAndNumbers(browser, url);
  say('an image, depths, fields and a plot show what was put');
  await fitsAPhone(browser, url);
  say('the page fits a phone');
  await servesFoxglove(websocket);
  say("Foxglove's client reads the clouds under both names of the protocol");
  await stop(child);
  await showsStudio(browser);
  say('the real Foxglove Studio shows a cloud live, and how many points it has');
  await saysWhatIsWrong(browser);
  say('a channel that goes and comes back, and a server that goes, are told');
  await showsAPausedCloud(browser);
  say('a cloud after which no other comes takes another colour, and comes back with the server');
  await colorsThePipeline(browser);
  say('the cloud of the running pipeline is coloured by its labels');
} finally {
  await browser.close();
  await Promise.all([...started].map(stop));
  const left = readdirSync('/dev/shm').filter((file) => file.startsWith(prefix.slice(1)));
  await Promise.all(left.map((file) => new Promise((resolve) =>
    start('io-shared', 'rm', `/${file}`).once('exit', resolve))));
}
process.exit(0);
