// The pixels of a PNG as Chromium writes it: 8 bits, RGB or RGBA, not interlaced.
import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";

export const decode = (bytes) => {
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const [depth, kind, , , interlaced] = bytes.subarray(24, 29);
  const channels = { 2: 3, 6: 4 }[kind];
  assert(depth === 8 && channels && interlaced === 0, `a PNG of ${depth} bits, kind ${kind}`);
  const parts = [];
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const length = bytes.readUInt32BE(at);
    const isData = bytes.toString("latin1", at + 4, at + 8) === "IDAT";
    if (isData) parts.push(bytes.subarray(at + 8, at + 8 + length));
  }
  const packed = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const pixels = new Uint8Array(height * stride);
  for (let row = 0; row < height; row += 1) {
    const filter = packed[row * (stride + 1)];
    for (let column = 0; column < stride; column += 1) {
      const at = row * stride + column;
      const left = column < channels ? 0 : pixels[at - channels];
      const up = row === 0 ? 0 : pixels[at - stride];
      const corner = row === 0 || column < channels ? 0 : pixels[at - stride - channels];
      const guess = left + up - corner;
      const [a, b, c] = [left, up, corner].map((value) => Math.abs(guess - value));
      const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
      const before = [0, left, up, (left + up) >> 1, paeth][filter];
      pixels[at] = packed[row * (stride + 1) + 1 + column] + before;
    }
  }
  const pixel = (at) => pixels.subarray(at * channels, at * channels + 3);
  return { width, height, pixel };
};
