// Clouds of points in three dimensions, in plain WebGL2. x is to the right, y to the back, z up.

const VERTEX = `#version 300 es
in vec3 point;
in float value;
uniform mat4 place;
uniform vec2 range;
uniform int mode;
uniform float size;
out vec3 color;
vec3 turbo(float t) { // Anton Mikhailov's colormap, as a polynomial of degree 5
  const vec4 r = vec4(0.13572138, 4.61539260, -42.66032258, 132.13108234);
  const vec4 g = vec4(0.09140261, 2.19418839, 4.84296658, -14.18503333);
  const vec4 b = vec4(0.10667330, 12.64194608, -60.58204836, 110.36276771);
  const vec2 r2 = vec2(-152.94239396, 59.28637943);
  const vec2 g2 = vec2(4.27729857, 2.82956604);
  const vec2 b2 = vec2(-89.90310912, 27.34824973);
  vec4 v4 = vec4(1.0, t, t * t, t * t * t);
  vec2 v2 = v4.zw * v4.z;
  return vec3(dot(v4, r) + dot(v2, r2), dot(v4, g) + dot(v2, g2), dot(v4, b) + dot(v2, b2));
}
vec3 label(float n) {
  if (n == 0.0) return vec3(0.45, 0.5, 0.56);
  vec3 p = abs(fract(fract(n * 0.61803399) + vec3(0.0, 2.0, 1.0) / 3.0) * 6.0 - 3.0);
  return 0.35 + 0.65 * clamp(p - 1.0, 0.0, 1.0);
}
void main() {
  gl_Position = place * vec4(point, 1.0);
  gl_PointSize = clamp(size / gl_Position.w, 1.0, 3.0);
  float wide = range.y - range.x;
  float t = wide > 0.0 ? clamp((value - range.x) / wide, 0.0, 1.0) : 0.5;
  // The ends of the colormap are too dark for points.
  color = mode == 1 ? label(value) : mode == 2 ? vec3(0.2, 0.24, 0.29) : turbo(mix(0.1, 0.95, t));
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec3 color;
out vec4 shown;
void main() { shown = vec4(color, 1.0); }`;

const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

/** a * b, for matrices whose columns follow each other. */
function multiply(a, b) {
  const out = new Array(16).fill(0);
  for (let column = 0; column < 4; column++) {
    for (let row = 0; row < 4; row++) {
      for (let k = 0; k < 4; k++) out[column * 4 + row] += a[k * 4 + row] * b[column * 4 + k];
    }
  }
  return out;
}

function fromTransform({ translation: t, rotation: { x, y, z, w } }) {
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w), 0,
    2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w), 0,
    2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y), 0,
    t.x, t.y, t.z, 1,
  ];
}

// The numbers of PointField, and how DataView reads them.
const DATATYPES = { 1: 'Int8', 2: 'Uint8', 3: 'Int16', 4: 'Uint16', 5: 'Int32', 6: 'Uint32',
  7: 'Float32', 8: 'Float64' };
const FLOAT32 = 7;

/** How the numbers of one field are read: a function from a point's number to its value. */
function reader({ data, point_step: step }, { offset, datatype }) {
  const isWhole = data.byteOffset % 4 === 0 && offset % 4 === 0 && step % 4 === 0;
  if (datatype === FLOAT32 && isWhole) {
    const floats = new Float32Array(data.buffer, data.byteOffset, data.length >> 2);
    return (at) => floats[(offset + at * step) >> 2];
  }
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const read = view[`get${DATATYPES[datatype]}`].bind(view);
  return (at) => read(offset + at * step, true);
}

/** The numbers of one field of all points, where they cannot be drawn from where they lie. */
function column(cloud, field, count) {
  const read = reader(cloud, field);
  const out = new Float32Array(count);
  for (let at = 0; at < count; at++) out[at] = read(at);
  return out;
}

/** Whether a field is drawn from where it lies. */
const isDirect = (cloud, { datatype, offset }) =>
  datatype === FLOAT32 && offset % 4 === 0 && cloud.point_step % 4 === 0 && cloud.point_step <= 255;

/** The labels as WebGL takes them, and the name of their type there. */
function toAttribute(labels) {
  const name = { Uint8Array: 'UNSIGNED_BYTE', Int8Array: 'BYTE', Uint16Array: 'UNSIGNED_SHORT',
    Int16Array: 'SHORT', Float32Array: 'FLOAT' }[labels.constructor.name];
  if (name) return [labels, name];
  const numbers = new Float32Array(labels.length);
  for (let at = 0; at < labels.length; at++) numbers[at] = Number(labels[at]); // some are BigInts
  return [numbers, 'FLOAT'];
}

export class Scene {
  /** `redraw` has the page call `draw` when it is drawn next. */
  constructor(panel, redraw) {
    this.panel = panel;
    this.redraw = () => {
      this.isDue = true;
      redraw();
    };
    this.clouds = new Map();
    this.frames = new Map();
    this.camera = { target: [0, 0, 0], distance: 30, yaw: -0.9, pitch: 0.7 };
    this.isFitted = false;  // whether the camera shows all that is there
    this.isTouched = false; // whether the user has moved it
    this.canvas = document.createElement('canvas');
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute('aria-label', 'Clouds of points. Arrow keys turn, with shift they ' +
      'move; plus and minus zoom; r shows all.');
    panel.body.append(this.canvas);
    // Points have no edges to smooth, and without a graphics card that takes most of the time.
    const gl = this.gl = this.canvas.getContext('webgl2',
      { antialias: false, alpha: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error('this browser has no WebGL2, without which no cloud is drawn');
    this.program = this.link();
    this.grid = this.makeGrid();
    this.listen();
    new ResizeObserver(([{ contentRect: { width, height } }]) => {
      this.size = [width, height];
      this.redraw();
    }).observe(this.canvas);
  }

  link() {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.bindAttribLocation(program, 0, 'point');
    gl.bindAttribLocation(program, 1, 'value');
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    const names = ['place', 'range', 'mode', 'size'];
    this.uniforms = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)]));
    return program;
  }

  makeGrid() {
    const lines = [];
    for (let at = -50; at <= 50; at += 10) lines.push(at, -50, 0, at, 50, 0, -50, at, 0, 50, at, 0);
    const { gl } = this;
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(lines), gl.STATIC_DRAW);
    return { buffer, count: lines.length / 3 };
  }

  /** Shows a PointCloud2. `by` is 'height', the name of a field, or an array of labels. */
  show(name, cloud, by) {
    const { gl } = this;
    const count = cloud.width * cloud.height;
    const field = (wanted) => cloud.fields.find((known) => known.name === wanted);
    const [x, y, z] = ['x', 'y', 'z'].map(field);
    if (!x || !y || !z || cloud.is_bigendian || cloud.data.length < count * cloud.point_step) {
      throw new Error('this cloud has no x, y and z that can be drawn');
    }
    if (!this.clouds.has(name)) this.isFitted = false;
    const shown = this.clouds.get(name) ?? { points: gl.createBuffer(), values: gl.createBuffer() };
    Object.assign(shown, { count, frame: cloud.header.frame_id, step: cloud.point_step });
    shown.isDirect = [x, y, z].every((one) => isDirect(cloud, one)) &&
      y.offset === x.offset + 4 && z.offset === x.offset + 8;
    gl.bindBuffer(gl.ARRAY_BUFFER, shown.points);
    if (shown.isDirect) {
      shown.offset = x.offset;
      gl.bufferData(gl.ARRAY_BUFFER, cloud.data, gl.STREAM_DRAW);
    } else {
      const columns = [x, y, z].map((one) => column(cloud, one, count));
      const points = new Float32Array(count * 3);
      for (let at = 0; at < count; at++) {
        for (let axis = 0; axis < 3; axis++) points[at * 3 + axis] = columns[axis][at];
      }
      gl.bufferData(gl.ARRAY_BUFFER, points, gl.STREAM_DRAW);
    }
    this.color(shown, cloud, by);
    this.clouds.set(name, shown);
    if (!this.isFitted) shown.extent = extent(cloud, [x, y, z], count);
    this.redraw();
  }

  /** Notes where the values lie by which a cloud is coloured. */
  color(shown, cloud, by) {
    const { gl } = this;
    const { count } = shown;
    const upload = (values) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, shown.values);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.STREAM_DRAW);
    };
    if (ArrayBuffer.isView(by)) {
      const [labels, type] = toAttribute(by);
      upload(labels);
      Object.assign(shown, { mode: 1, range: [0, 1], value: [shown.values, gl[type], 0, 0] });
      return;
    }
    const named = (wanted) => cloud.fields.find(({ name }) => name === wanted);
    const field = named(by) ?? named('z');
    Object.assign(shown, { mode: 0, range: range(reader(cloud, field), count) });
    if (shown.isDirect && isDirect(cloud, field)) {
      shown.value = [shown.points, gl.FLOAT, shown.step, field.offset];
    } else {
      upload(column(cloud, field, count));
      shown.value = [shown.values, gl.FLOAT, 0, 0];
    }
  }

  hide(name) {
    const shown = this.clouds.get(name);
    if (!shown) return;
    this.isFitted = false;
    this.gl.deleteBuffer(shown.points);
    this.gl.deleteBuffer(shown.values);
    this.clouds.delete(name);
    this.redraw();
  }

  /** Takes note of how frames lie in others, from a tf2_msgs/TFMessage. */
  place({ transforms }) {
    for (const { header, child_frame_id: child, transform } of transforms) {
      this.frames.set(child, { parent: header.frame_id, matrix: fromTransform(transform) });
    }
    this.isFitted = false;
    this.redraw();
  }

  /** From a frame to the one in which it lies at last. */
  matrixOf(frame) {
    let matrix = IDENTITY;
    for (let hops = 0; hops < 64 && this.frames.has(frame); hops++) {
      const { parent, matrix: more } = this.frames.get(frame);
      matrix = multiply(more, matrix);
      frame = parent;
    }
    return matrix;
  }

  /** Has the camera show all clouds, unless the user has moved it. */
  fit() {
    const shown = [...this.clouds.values()].filter(({ extent }) => extent);
    if (this.isFitted || this.isTouched || !shown.length) return;
    const corners = shown.flatMap(({ extent: [least, most], frame }) => {
      const matrix = this.matrixOf(frame);
      return Array.from({ length: 8 }, (_, corner) => {
        const at = least.map((part, axis) => corner >> axis & 1 ? most[axis] : part);
        return [0, 1, 2].map((row) => matrix[12 + row] +
          at.reduce((sum, part, axis) => sum + matrix[axis * 4 + row] * part, 0));
      });
    });
    const sides = [0, 1, 2].map((axis) => corners.map((corner) => corner[axis]));
    const [least, most] = [Math.min, Math.max].map((pick) => sides.map((all) => pick(...all)));
    const size = Math.max(...most.map((part, axis) => part - least[axis]));
    const target = most.map((part, axis) => (part + least[axis]) / 2);
    const narrow = Math.max(1, this.canvas.height / this.canvas.width);
    Object.assign(this.camera, { target, distance: Math.max(size, 1) * 1.1 * narrow });
    this.isFitted = true;
  }

  view() {
    const { target, distance, yaw, pitch } = this.camera;
    const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
    const back = [cp * cy, cp * sy, sp];
    const right = [-sy, cy, 0];
    const up = [-sp * cy, -sp * sy, cp];
    const eye = back.map((part, axis) => target[axis] + part * distance);
    const dot = (axis) => -axis.reduce((sum, part, at) => sum + part * eye[at], 0);
    const look = [
      right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0,
      dot(right), dot(up), dot(back), 1,
    ];
    const [near, far] = [distance / 100, distance * 20];
    const zoom = 1 / Math.tan(0.45);
    const aspect = this.canvas.width / this.canvas.height;
    const lens = [zoom / aspect, 0, 0, 0, 0, zoom, 0, 0,
      0, 0, (far + near) / (near - far), -1, 0, 0, 2 * far * near / (near - far), 0];
    return multiply(lens, look);
  }

  draw() {
    if (!this.isDue || !this.size) return;
    this.isDue = false;
    const { gl, canvas, uniforms } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = this.size.map((side) => Math.round(side * scale));
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    this.fit();
    gl.viewport(0, 0, width, height);
    gl.clearColor(0.055, 0.065, 0.08, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    const view = this.view();
    gl.uniform1f(uniforms.size, 2 * scale * this.camera.distance);
    this.lines(view);
    gl.enableVertexAttribArray(1);
    let points = 0;
    for (const shown of this.clouds.values()) {
      const { count, mode, range: [least, most], value: [values, type, every, from] } = shown;
      gl.uniformMatrix4fv(uniforms.place, false, multiply(view, this.matrixOf(shown.frame)));
      gl.uniform2f(uniforms.range, least, most);
      gl.uniform1i(uniforms.mode, mode);
      gl.bindBuffer(gl.ARRAY_BUFFER, shown.points);
      const [step, offset] = shown.isDirect ? [shown.step, shown.offset] : [12, 0];
      gl.vertexAttribPointer(0, 3, gl.FLOAT, false, step, offset);
      gl.bindBuffer(gl.ARRAY_BUFFER, values);
      gl.vertexAttribPointer(1, 1, type, false, every, from);
      gl.drawArrays(gl.POINTS, 0, count);
      points += count;
    }
    this.panel.numbers(`${points.toLocaleString('en')} points`);
  }

  lines(view) {
    const { gl, grid, uniforms } = this;
    gl.uniformMatrix4fv(uniforms.place, false, view);
    gl.uniform1i(uniforms.mode, 2);
    gl.enableVertexAttribArray(0);
    gl.disableVertexAttribArray(1);
    gl.bindBuffer(gl.ARRAY_BUFFER, grid.buffer);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 12, 0);
    gl.drawArrays(gl.LINES, 0, grid.count);
  }

  turn(x, y) {
    const { camera } = this;
    this.isTouched = true;
    camera.yaw -= x;
    camera.pitch = Math.min(Math.max(camera.pitch + y, -1.55), 1.55);
    this.redraw();
  }

  move(x, y) {
    const { target, distance, yaw } = this.camera;
    this.isTouched = true;
    const [sy, cy] = [Math.sin(yaw), Math.cos(yaw)];
    target[0] += (sy * x - cy * y) * distance;
    target[1] += (-cy * x - sy * y) * distance;
    this.redraw();
  }

  zoom(factor) {
    this.isTouched = true;
    this.camera.distance = Math.min(Math.max(this.camera.distance * factor, 0.1), 1e5);
    this.redraw();
  }

  listen() {
    const { canvas } = this;
    const pointers = new Map();
    const apart = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    canvas.addEventListener('pointermove', (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const before = pointers.size === 2 ? apart() : 0;
      const [x, y] = [event.clientX - last.x, event.clientY - last.y];
      Object.assign(last, { x: event.clientX, y: event.clientY });
      const part = 1 / canvas.clientHeight;
      if (pointers.size === 2) {
        this.move(x * part / 2, y * part / 2);
        if (apart() > 0) this.zoom(before / apart());
      } else if (event.shiftKey || event.buttons === 2) {
        this.move(x * part, y * part);
      } else {
        this.turn(x * part * 3, y * part * 3);
      }
    });
    for (const end of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY / 500));
    }, { passive: false });
    canvas.addEventListener('keydown', (event) => this.press(event));
  }

  showAll() {
    this.isTouched = this.isFitted = false;
    this.redraw();
  }

  press(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (way && event.shiftKey) this.move(way[0] * 0.05, way[1] * 0.05);
    else if (way) this.turn(way[0] * 0.1, way[1] * 0.1);
    else if (event.key === '+' || event.key === '=') this.zoom(0.8);
    else if (event.key === '-') this.zoom(1.25);
    else if (event.key === 'r') this.showAll();
    else return;
    event.preventDefault();
  }
}

/** The box in which nearly all points lie: its least and its greatest corner. */
function extent(cloud, axes, count) {
  const sides = axes.map((axis) => range(reader(cloud, axis), count));
  return [sides.map(([least]) => least), sides.map(([, most]) => most)];
}

/** Where nearly all of `count` values lie, by a sample of what `read` reads. */
function range(read, count) {
  const every = Math.max(1, Math.floor(count / 2000));
  const sample = new Float64Array(Math.ceil(count / every));
  let found = 0;
  for (let at = 0; at < count; at += every) {
    const value = read(at);
    if (Number.isFinite(value)) sample[found++] = value;
  }
  const sorted = sample.subarray(0, found).sort();
  const part = (share) => sorted[Math.floor(share * (found - 1))] ?? 0;
  return [part(0.02), part(0.98)];
}
