// Opens a recording in Foxglove Studio in headless Chromium, and compares what it shows with what
// was put: studio.mjs RECORDING PICTURE
//
// The recording is in the folder of ci/recording.sh, all of it. Next to this script are node_modules with react, react-dom
// and playwright-core, `studio` with the package of Studio, and studio.html.
import assert from "node:assert/strict";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { decode } from "./png.mjs";

const [recording, picture] = process.argv.slice(2);
const folder = dirname(recording);
const here = dirname(fileURLToPath(import.meta.url));
// How many meters the 3D panel shows from its bottom to its top, and the colour of the points.
const DISTANCE = 60;
const isPoint = ([red, green, blue]) => red > 150 && green > 60 && green < 160 && blue < 80;

// The files, the recording by ranges. Notes how the recording was asked for.
const asked = { ranges: 0, whole: 0, bytes: 0 };
const types = { ".js": "text/javascript", ".html": "text/html", ".wasm": "application/wasm" };
const place = (path) => {
  if (path === "/drive.mcap") return recording;
  const isModule = /^\/react(-dom)?\//.test(path);
  return join(here, isModule ? "node_modules" : "", normalize(path));
};
const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  const file = place(path);
  if (!existsSync(file) || statSync(file).isDirectory()) {
    response.writeHead(404);
    response.end();
    return;
  }
  const { size } = statSync(file);
  const headers = {
    "content-type": types[extname(file)] ?? "application/octet-stream", "accept-ranges": "bytes",
  };
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
  if (range) {
    const start = Number(range[1]);
    const end = range[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    asked.ranges += 1;
    const length = { "content-length": end - start + 1 };
    response.writeHead(206, {
      ...headers, ...length, "content-range": `bytes ${start}-${end}/${size}`,
    });
    createReadStream(file, { start, end })
      .on("data", (bytes) => { asked.bytes += bytes.length; })
      .on("error", () => response.destroy())
      .pipe(response);
    return;
  }
  response.writeHead(200, { ...headers, "content-length": size });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  // Studio asks like this whether there are ranges, and reads no more than the head.
  if (path === "/drive.mcap") response.on("close", () => { asked.whole += response.writableEnded; });
  createReadStream(file).pipe(response);
});

// What was put, by the number of each value.
const lines = (name) => readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1);
const put = (name) =>
  new Map(lines(name).map((line) => JSON.parse(line)).map((line) => [line.seq, line]));
const [clouds, labels] = [put("clouds"), put("labels")];
const counts = lines("counts").map((line) => JSON.parse(line));
const topics = counts.map(({ name }) => name.replace(/[^A-Za-z0-9_/]/g, "_"));
const ofCloud = ({ value }) => {
  const points = value.points;
  const names = Object.keys(points[0]);
  const each = (read) => Object.fromEntries(names.map((name) => [name, read(name)]));
  return {
    frame: "lidar", count: points.length, width: points.length, types: names.map(() => 7),
    first: each((name) => Math.fround(points[0][name])),
    last: each((name) => Math.fround(points.at(-1)[name])),
    sums: each((name) => points.reduce((sum, point) => sum + Math.fround(point[name]), 0)),
  };
};
const ofLabels = ({ seq, tag, value: { labels: values } }) => ({
  seq: String(seq), tag: String(tag), count: values.length, first: values[0], last: values.at(-1),
  sum: values.reduce((a, b) => a + b, 0),
});

// Opens Studio, and returns the page once its panel has all messages.
const open = async (browser, visible) => {
  const page = await browser.newPage({ viewport: { width: 1400, height: 800 } });
  page.on("pageerror", (error) => console.log("page error:", String(error).slice(0, 300)));
  const base = `http://127.0.0.1:${server.address().port}`;
  const query = new URLSearchParams({
    ds: "remote-file", "ds.url": `${base}/drive.mcap`, clouds: topics[0], labels: topics[1],
    distance: String(DISTANCE), visible: String(visible), frame: "lidar",
  });
  await page.goto(`${base}/studio.html?${query}`);
  const isThere = ([topics, counts]) => {
    const text = document.getElementById("points")?.textContent;
    const all = text ? JSON.parse(text) : {};
    return topics.every((topic, number) => all[topic]?.length === counts[number].values);
  };
  await page.waitForFunction(isThere, [topics, counts], { timeout: 100_000, polling: 500 });
  // The list of topics covers the panels' edge, not the panels.
  return page;
};

// The pixels of the 3D panel, once two pictures of it are the same.
const pixels = async (page) => {
  const canvas = page.locator("canvas").first();
  let before = Buffer.alloc(0);
  for (let tries = 0; tries < 40; tries += 1) {
    const shot = await canvas.screenshot();
    if (shot.equals(before)) break;
    before = shot;
    await page.waitForTimeout(500);
  }
  return decode(before);
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
});
try {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const page = await open(browser, true);

  // What Studio's list of topics says.
  const body = await page.evaluate(() => document.body.innerText.split("\n"));
  const expected = [
    [topics[0], "sensor_msgs/msg/PointCloud2", counts[0].values],
    [`${topics[0]}/_io`, "io_shared_msgs/msg/CloudHead", counts[0].values],
    [topics[1], "io_shared_msgs/msg/LabelsRecorded", counts[1].values],
  ];
  for (const [topic, type, count] of expected) {
    const at = body.indexOf(topic);
    assert(at >= 0, `${topic} is not among Studio's topics: ${body.join(" | ")}`);
    const said = body.slice(at, at + 6).join(" ");
    assert(said.includes(type), `${topic} has the type ${type}: ${said}`);
    assert(said.split(" ").includes(String(count)), `${topic} has ${count} messages: ${said}`);
  }

  // What the messages have, as Studio decodes them.
  const said = JSON.parse(await page.textContent("#points"));
  const byStamp = new Map([...clouds.values()].map((line) => [line.value.stamp_ns, line]));
  let [seenClouds, seenLabels] = [0, 0];
  for (const { stamp, ...cloud } of said[topics[0]]) {
    const line = byStamp.get(Number(stamp));
    if (!line) continue;
    seenClouds += 1;
    assert.deepEqual(cloud, ofCloud(line));
  }
  for (const label of said[topics[1]]) {
    const line = labels.get(Number(label.seq));
    if (!line) continue;
    seenLabels += 1;
    assert.deepEqual(label, ofLabels(line));
  }
  assert(Math.min(seenClouds, seenLabels) >= 8, `${seenClouds} clouds, ${seenLabels} labels`);

  // The number of points that the panel with the newest message shows.
  const first = byStamp.get(Number(said[topics[0]][0].stamp));
  assert(first, "the first cloud was not seen when it was put: the machine was too slow");
  const width = String(first.value.points.length);
  assert(body.some((line) => line.trim() === width), `no panel shows ${width}`);

  // Where there are points, there are pixels of their colour, and nowhere else.
  const image = await pixels(page);
  await page.screenshot({ path: picture });
  const scale = image.height / DISTANCE;
  const near = new Set();
  let [inside, drawn] = [0, 0];
  for (const { x, y } of first.value.points) {
    const column = Math.round(image.width / 2 + x * scale);
    const row = Math.round(image.height / 2 - y * scale);
    const isInside = column >= 3 && row >= 3 && column < image.width - 3 && row < image.height - 3;
    if (!isInside) continue;
    inside += 1;
    let isDrawn = false;
    for (let dx = -3; dx <= 3; dx += 1) {
      for (let dy = -3; dy <= 3; dy += 1) {
        const at = (row + dy) * image.width + column + dx;
        near.add(at);
        isDrawn ||= Math.abs(dx) < 2 && Math.abs(dy) < 2 && isPoint(image.pixel(at));
      }
    }
    drawn += isDrawn;
  }
  let [lit, stray] = [0, 0];
  for (let at = 0; at < image.width * image.height; at += 1) {
    if (!isPoint(image.pixel(at))) continue;
    lit += 1;
    stray += !near.has(at);
  }
  console.log(`${inside} points in the picture, ${drawn} drawn; ${lit} pixels, ${stray} stray`);
  assert(inside > 10_000 && drawn > 0.95 * inside, `${drawn} of ${inside} points are drawn`);
  assert(lit > 5_000 && stray < 0.02 * lit, `${stray} of ${lit} pixels are where no point is`);
  await page.close();

  // Without the cloud none of these pixels is there.
  const empty = await pixels(await open(browser, false));
  let left = 0;
  for (let at = 0; at < empty.width * empty.height; at += 1) left += isPoint(empty.pixel(at));
  assert(left < 0.01 * lit, `${left} pixels of the points' colour without points`);

  assert(asked.ranges > 0 && asked.whole === 0, JSON.stringify(asked));
  console.log(`Studio: ${topics.length + 1} topics, ${seenClouds} clouds and ${seenLabels} labels`
    + ` as they were put; ${asked.ranges} ranges of the recording; picture in ${picture}`);
} finally {
  await browser.close();
  server.close();
  server.closeAllConnections();
}
