// Reads an MCAP file with npm's readers, and prints what readers.py prints of pip's.
import { readFile } from "node:fs/promises";
import { McapIndexedReader } from "@mcap/core";
import { parse } from "@foxglove/rosmsg";
import { MessageReader } from "@foxglove/rosmsg2-serialization";

const isFloat = (value) => value instanceof Float32Array || value instanceof Float64Array;

const plain = (value) => {
  const isList = ArrayBuffer.isView(value) || Array.isArray(value);
  const isWhole = (item) => typeof item === "bigint" || Number.isInteger(item);
  if (isList && value.length > 64 && !isFloat(value) && value.every(isWhole)) {
    const sum = value.reduce((sum, item) => sum + BigInt(item), 0n);
    return { count: value.length, ends: [value[0], value.at(-1)].map(plain), sum: plain(sum) };
  }
  // Exact: a number of JavaScript has 53 bits.
  if (typeof value === "bigint") return `bigint ${value}`;
  if (isList) return [...value].map(plain);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([name, part]) => [name, plain(part)]);
  return Object.fromEntries(entries);
};

// The points of a PointCloud2: how many, the first and the last, and the sum of each field.
const points = (cloud) => {
  const view = new DataView(cloud.data.buffer, cloud.data.byteOffset, cloud.data.byteLength);
  const read = [, "Int8", "Uint8", "Int16", "Uint16", "Int32", "Uint32", "Float32", "Float64"];
  const count = Math.floor(cloud.data.length / cloud.point_step);
  const at = (point) => Object.fromEntries(cloud.fields.map((field) => {
    const place = point * cloud.point_step + field.offset;
    return [field.name, view[`get${read[field.datatype]}`](place, true)];
  }));
  if (count === 0) return { count };
  const sums = Object.fromEntries(cloud.fields.map((field) => [field.name, 0]));
  for (let point = 0; point < count; point += 1) {
    for (const [name, value] of Object.entries(at(point))) sums[name] += value;
  }
  return { count, first: at(0), last: at(count - 1), sums };
};

const bytes = await readFile(process.argv[2]);
const readable = {
  size: async () => BigInt(bytes.length),
  read: async (offset, size) => bytes.subarray(Number(offset), Number(offset + size)),
};
const reader = await McapIndexedReader.Initialize({ readable });
const readers = new Map();
for (const channel of reader.channelsById.values()) {
  const schema = reader.schemasById.get(channel.schemaId);
  const text = new TextDecoder().decode(schema.data);
  readers.set(channel.id, [channel, schema, new MessageReader(parse(text, { ros2: true }))]);
}
for await (const message of reader.readMessages()) {
  const [channel, schema, decoder] = readers.get(message.channelId);
  const value = decoder.readMessage(message.data);
  const line = {
    reader: "npm", topic: channel.topic, type: schema.name, seq: message.sequence,
    time: plain(message.logTime), value: plain(value),
  };
  if (schema.name.endsWith("/PointCloud2")) line.points = points(value);
  console.log(JSON.stringify(line).replace(/"bigint (-?\d+)"/g, "$1"));
}
