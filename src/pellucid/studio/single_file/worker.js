// Answers the questions of the views, beside the page, so that it stays responsive.
"use strict";
const KEPT_IMAGES = 64, MOST = 1 << 22; // images that are remembered, numbers of one answer
let network, nodes, shapes, state, arrays;
const images = new Map(), computed = new Map(); // numbers by id; the values of the last two images

class Refused extends Error {
  constructor(message, kind = "refused") {
    super(message);
    this.kind = kind;
  }
}

function load(found, base64) {
  network = found;
  state = arraysOf(found.weights, base64);
  arrays = Object.fromEntries(Object.entries(state).map(([key, array]) => [key, asAnswered(array)]));
  for (const [key, name] of Object.entries(found.own)) arrays[key] = arrays[name];
  shapes = found.nodes.map(({ shape }) => shape);
  nodes = found.nodes.map(({ line, ...node }) => ({
    ...node,
    line: line && { ...line, arrays: Object.fromEntries(Object.entries(line.keys).map(([name, key]) => [name, state[key]])) },
  }));
  network.pictures = found.pictures && bytesOf(found.pictures);
}

const asAnswered = ({ s, d }) => ({ shape: s, data: d });

// Every value for an image's numbers.
function valuesOf(id) {
  if (!images.has(id)) throw new Refused("this image is no longer kept", "forgotten");
  if (!computed.has(id)) {
    const values = [{ s: shapes[0], d: images.get(id) }];
    for (const { reads, line, shape } of nodes.slice(1)) {
      const y = line ? { s: shape, d: new Float32Array(product(shape)) } : { s: shape, d: values[reads[0]].d };
      if (line) F[line.name](y.d, shape, reads.map((k) => values[k]), line.arrays, line.options);
      values.push(y);
    }
    computed.set(id, values);
    if (computed.size > 2) computed.delete(computed.keys().next().value);
  }
  return computed.get(id);
}

function requireUnit(value, unit) {
  if (!shapes[value]) throw new Refused(`value: the values of this network are 0 to ${shapes.length - 1}, received ${value}.`);
  const shape = shapes[value];
  if (unit && (unit.length !== shape.length || !unit.every((k, a) => Number.isInteger(k) && k >= 0 && k < shape[a])))
    throw new Refused(`unit: must be ${shape.length} indices below ${shape.join("×")}, received ${unit}.`);
}

const bounds = (d) => d.reduce(([low, high], v) => [v < low ? v : low, v > high ? v : high], [Infinity, -Infinity]);

const answers = {
  load: ({ found, base64 }) => load(found, base64),

  see: ({ picture, numbers, index }) => {
    const begin = performance.now(), [low, high] = network.range, size = product(shapes[0]);
    const scaled = (bytes) => Float32Array.from(bytes, (v) => low + (v / 255) * (high - low));
    let x, how = "", label = null;
    if (numbers) x = Float32Array.from(numbers.data);
    else if (picture) {
      if (!network.preparation) throw new Refused("picture: this network takes images of other than one or three channels.");
      const made = prepare(picture, network.preparation);
      [x, how] = [scaled(made.image), made.how];
    } else {
      if (!network.labels || !(index < network.labels.length)) throw new Refused(`index: there are ${network.labels?.length ?? 0} images in this file, received ${index}.`);
      x = scaled(network.pictures.subarray(index * size, (index + 1) * size));
      label = network.labels[index];
    }
    if (x.length !== size) throw new Refused(`numbers: an image of this network has the shape ${shapes[0].join("×")}.`);
    const id = `i${x.reduce((hash, v) => (Math.imul(hash, 31) + Math.round(v * 65536)) | 0, 7) >>> 0}`;
    images.delete(id);
    images.set(id, x);
    if (images.size > KEPT_IMAGES) images.delete(images.keys().next().value);
    const { s, d } = valuesOf(id)[network.output], most = d.reduce((a, b) => Math.max(a, b));
    const grown = d.map((v) => Math.exp(v - most)), sum = grown.reduce((a, b) => a + b, 0);
    return {
      image: id, numbers: { shape: shapes[0], data: x }, how, label, scores: { shape: s, data: d },
      probabilities: s.length === 1 ? { shape: s, data: network.softmax ? d : grown.map((v) => v / sum) } : null,
      milliseconds: performance.now() - begin,
    };
  },

  pictures: ({ chosen, size }) => {
    const bytes = new Uint8Array(chosen.length * size);
    chosen.forEach((k, n) => bytes.set(network.pictures.subarray(k * size, (k + 1) * size), n * size));
    return bytes;
  },

  maps: ({ image, value, first = 0, count = Infinity }) => {
    requireUnit(value);
    const { s, d } = valuesOf(image)[value], each = product(s.slice(1)), channels = s[0];
    const from = Math.min(Math.max(first, 0), channels);
    const to = Math.min(channels, from + Math.min(count ?? Infinity, Math.max(1, Math.floor(MOST / each))));
    const maps = d.slice(from * each, to * each), [low, high] = bounds(d);
    const ends = Array.from({ length: to - from }, (_, k) => bounds(maps.subarray(k * each, (k + 1) * each)));
    const row = (k) => ({ shape: [to - from], data: Float32Array.from(ends, (pair) => pair[k]) });
    return { value, first: from, total: channels, low, high, lows: row(0), highs: row(1), maps: { shape: [to - from, ...s.slice(1)], data: maps } };
  },

  unit: ({ image, value, unit }) => {
    requireUnit(value, unit);
    return arithmetic(network.described[value], valuesOf(image).map(asAnswered), unit, arrays);
  },

  field: ({ value, unit }) => {
    requireUnit(value, unit);
    return field(nodes, shapes, value, unit);
  },
};

onmessage = ({ data: { id, ask, args } }) => {
  try {
    postMessage({ id, answer: answers[ask](args) });
  } catch (error) {
    postMessage({ id, error: { message: error.message, kind: error.kind ?? "internal" } });
  }
};
