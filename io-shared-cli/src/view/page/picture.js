// A picture: sensor_msgs/Image or sensor_msgs/CompressedImage on a canvas.

const CHANNELS = { mono8: [0, 0, 0, 1], rgb8: [0, 1, 2, 3], bgr8: [2, 1, 0, 3],
  rgba8: [0, 1, 2, 4], bgra8: [2, 1, 0, 4] };

export class Picture {
  constructor(panel) {
    this.panel = panel;
    this.canvas = document.createElement('canvas');
    this.canvas.setAttribute('role', 'img');
    panel.body.append(this.canvas);
    this.drawing = false;
  }

  async show(image) {
    if (image.format) return this.compressed(image);
    const { width, height, encoding, data, step } = image;
    const pixels = new ImageData(width, height);
    const range = encoding in CHANNELS
      ? colors(pixels.data, image)
      : depths(pixels.data, depth(encoding, data), width, height, step);
    if (range === null) throw new Error(`pictures of ${encoding} are not shown`);
    Object.assign(this.canvas, { width, height });
    this.canvas.getContext('2d').putImageData(pixels, 0, 0);
    this.panel.numbers(`${width} x ${height} ${encoding}${range}`);
  }

  async compressed({ format, data }) {
    if (this.drawing) return; // the next one comes
    this.drawing = true;
    try {
      const bitmap = await createImageBitmap(new Blob([data], { type: `image/${format}` }));
      Object.assign(this.canvas, { width: bitmap.width, height: bitmap.height });
      this.canvas.getContext('2d').drawImage(bitmap, 0, 0);
      this.panel.numbers(`${bitmap.width} x ${bitmap.height} ${format}`);
      bitmap.close();
    } finally {
      this.drawing = false;
    }
  }
}

function colors(out, { width, height, encoding, data, step }) {
  const [r, g, b, size] = CHANNELS[encoding];
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = y * step; x < width; x++, from += size, to += 4) {
      out[to] = data[from + r];
      out[to + 1] = data[from + g];
      out[to + 2] = data[from + b];
      out[to + 3] = 255;
    }
  }
  return '';
}

function depth(encoding, data) {
  const Type = { '16UC1': Uint16Array, mono16: Uint16Array, '32FC1': Float32Array }[encoding];
  if (!Type) return null;
  const bytes = data.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? data : data.slice();
  return new Type(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / Type.BYTES_PER_ELEMENT));
}

/** Near is bright. What is 0 or no number is black. */
function depths(out, values, width, height, step) {
  if (!values) return null;
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value > 0 && value < Infinity) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  const row = step / values.BYTES_PER_ELEMENT;
  const scale = most > least ? 225 / (most - least) : 0;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      const value = values[y * row + x];
      const gray = value > 0 && value < Infinity ? 255 - (value - least) * scale : 0;
      out[to] = out[to + 1] = out[to + 2] = gray;
      out[to + 3] = 255;
    }
  }
  return most < least ? ', nothing measured' : `, ${round(least)} to ${round(most)}`;
}

const round = (number) => Number(number.toPrecision(4)).toString();
