// How one number of a value is computed: the twin of pellucid.viz.analysis.arithmetic. Python tells
// for each layer which parts there are, with their formulas; the numbers are put in here.
"use strict";

// The weights of a unit, where they are one block of an array: its leading indices.
const BLOCK = {
  conv2d: (unit) => [unit[0]], channel_linear: (unit) => [unit[0]], radial_basis: (unit) => [unit[0]],
  linear: (unit) => [unit[unit.length - 1]], locally_connected2d: ([o, i, j]) => [i, j, o],
};
const JOINED = {
  "+": (a, b) => a + b, "−": (a, b) => a - b, "×": (a, b) => a * b, "/": (a, b) => a / b, max: (a, b) => Math.max(a, b), min: (a, b) => Math.min(a, b),
};
// Arrays of a layer that are constants of its channels, by the symbols of its formula.
const CONSTANTS = { normalize: { "μ": "mean", "σ": "std" } };
const total = (numbers) => numbers.reduce((sum, x) => sum + x, 0);
const flat = (unit, shape) => unit.reduce((at, k, a) => at + k * strides(shape)[a], 0);
const repeated = (unit, shape) => shape.map((n, a) => (n === 1 ? 0 : unit[unit.length - shape.length + a]));
const block = ({ s, d }, lead) => {
  const size = product(s.slice(lead.length)), at = flat(lead, s.slice(0, lead.length)) * size;
  return d.subarray(at, at + size);
};

// The numbers of a value in a box of [first, step, count], and which rows and columns are padding.
function taken({ s, d }, box, padding = 0) {
  const cells = box.map(([first, step, n]) => Array.from({ length: n }, (_, k) => first + k * step));
  const inside = cells.map((list, a) => list.map((c) => c >= 0 && c < s[a]));
  const shape = box.map(([, , n]) => n), steps = strides(s), numbers = new Float32Array(product(shape));
  let n = 0;
  const fill = (a, at, real) => {
    if (a === s.length) numbers[n++] = real ? d[at] : padding;
    else cells[a].forEach((c, k) => fill(a + 1, at + c * steps[a], real && inside[a][k]));
  };
  fill(0, 0, true);
  const [rows, columns] = inside.slice(-2);
  const padded = inside.flat().every(Boolean) ? null
    : { shape: shape.slice(-2), data: Uint8Array.from(rows.flatMap((u) => columns.map((v) => (u && v ? 0 : 1)))) };
  return { shape, numbers, padded };
}

// A box as the parts have it.
const ranges = (box) => (box.length === 3
  ? { channels: [box[0][0], box[0][0] + box[0][2]], rows: box[1], columns: box[2], indices: null }
  : { channels: null, rows: null, columns: null, indices: box });

/**
 * `node` is {reads, readings, line, shape, told}, `values` what each value is for the image, and
 * `state` the arrays of the network by key.
 */
function explained(node, value, unit, values, state) {
  const { reads, readings, line, shape, told } = node, y = values[value], engine = y.d[flat(unit, y.s)];
  const results = {}, name = line?.name;
  const input = (k) => values[reads[k]];

  // One number of a formula or a sum: of the state, of an input, of an earlier part, or a constant.
  const number = ({ symbol, key, rank, input: of, constant }) => {
    const own = CONSTANTS[name]?.[symbol];
    if (own && key === undefined) return { symbol, value: line.arrays[own].d[line.arrays[own].d.length > 1 ? unit[0] : 0] };
    if (key !== undefined) {
      const { s, d } = state[key];
      const index = !rank ? [] : rank > 1 || ["scale", "shift"].includes(name) ? repeated(unit, s) : [s[0] === 1 ? 0 : ["linear", "layer_norm"].includes(name) ? unit[unit.length - 1] : unit[0]];
      return { symbol: symbol.replace(/\[.*\]/, `[${index}]`), value: d[flat(index, s)], key, index };
    }
    if (of === undefined) return { symbol, value: results[symbol] ?? constant };
    const x = input(of), place = repeated(unit, x.s);
    return { symbol, value: x.d[flat(place, x.s)], input: reads[of], unit: place };
  };
  const formula = ({ text, numbers, ...rest }) => {
    const given = numbers.map(number), bySymbol = Object.fromEntries(given.map((each) => [each.symbol, each.value]));
    return { ...rest, form: "formula", text, numbers: given, result: compiled(text, Object.keys(bySymbol))(bySymbol) };
  };

  const makers = {
    formula,
    copy: (part) => {
      let at = sources(node, reads.map((k) => values[k].s).reduce((all, s, k) => ({ ...all, [reads[k]]: s }), {}))[flat(unit, shape)] - 1;
      if (at < 0) return { ...part, input: null, unit: null, result: engine, padded: true };
      let k = 0;
      while (at >= input(k).d.length) at -= input(k++).d.length;
      return { ...part, input: reads[k], unit: unraveled(at, input(k).s), result: input(k).d[at], padded: false };
    },
    terms: ({ terms, ...part }) => {
      const given = terms.map(number);
      return { ...part, terms: given.map(({ symbol, ...rest }) => ({ label: symbol, ...rest })), result: given.map((each) => each.value).reduce(JOINED[part.operator]) };
    },
    products: ({ channel, lead, ...part }) => {
      const x = input(0), box = boxOf(readings[0], unit, x.s);
      if (channel !== undefined) box[0] = [channel, 1, 1]; // of several sums, each of one map
      const { shape, numbers, padded } = taken(x, box);
      const index = lead ?? BLOCK[name](unit), array = line.arrays.weight;
      const weights = block(array, channel === undefined ? index : [unit[0], channel]).slice(), products = numbers.map((n, k) => n * weights[k]);
      const outs = array.s[0] / (line.options.groups ?? 1), places = product(y.s) / y.s[name === "linear" ? y.s.length - 1 : 0];
      const row = name === "linear" ? Math.floor(flat(unit, y.s) / y.s[y.s.length - 1]) : unit[1] * (y.s[2] ?? 0) + unit[2];
      return {
        weight: null, weights_from: null, ...part, input: reads[0], ...ranges(box), numbers: { shape, data: numbers }, padded,
        weights: { shape, data: weights }, products: { shape, data: products }, result: total(products), weight_index: index,
        im2col: part.im2col ? { row, shape: [places, numbers.length], weights: [numbers.length, name === "locally_connected2d" ? y.s[0] : outs] } : null,
      };
    },
    reduction: ({ steps, ...part }) => {
      const x = input(0), box = boxOf(readings[0], unit, x.s), wins = { max: Math.max, min: Math.min }[part.name];
      const { shape, numbers, padded } = taken(x, box, wins ? (part.name === "max" ? -Infinity : Infinity) : 0);
      const common = { weight: null, weight_index: null, weights: null, ...part, input: reads[0], ...ranges(box), numbers: { shape, data: numbers }, padded };
      if (wins) {
        const result = numbers.reduce((a, b) => wins(a, b)), real = padded ? padded.data.reduce((n, p) => n - p, padded.data.length) : 0;
        return {
          ...common, winner: unraveled(Math.max(numbers.findIndex((n) => Object.is(n, result)), 0), shape), each: null, steps: [],
          counted: padded ? (real * numbers.length) / padded.data.length : numbers.length, result,
        };
      }
      const weights = part.weight && block(line.arrays[Object.keys(line.arrays)[0]], BLOCK[name](unit)).slice();
      const each = part.text && (() => {
        const constants = Object.fromEntries(steps.flatMap((step) => step.numbers).map((c) => [c.symbol, c.constant])), known = { ...constants, ...results };
        const f = compiled(part.text, [...Object.keys(known), "z", "x", "w"]);
        return numbers.map((n, k) => f({ ...known, z: n, x: n, w: weights?.[k] }));
      })();
      const added = total(each || numbers), counted = line.arrays.counts ? line.arrays.counts.d[unit[1] * y.s[2] + unit[2]] : numbers.length;
      const made = steps.map((step) => {
        Object.assign(results, { "Σ": added, n: counted });
        return formula(step);
      });
      delete results.n;
      return {
        ...common, each: each ? { shape, data: each } : null, winner: null, counted, steps: made,
        ...(weights && { weights: { shape, data: weights }, weight_index: BLOCK[name](unit) }),
        result: made.length ? made[made.length - 1].result : added,
      };
    },
    reading: (part) => {
      const x = input(part.of), reading = readings[part.of];
      const box = reading.axes ? boxOf(reading, unit, x.s) : x.s.map((n) => [0, 1, n]), { shape, numbers, padded } = taken(x, box);
      return { form: "reading", name: part.name, input: reads[part.of], ...ranges(box), numbers: { shape, data: numbers }, padded, result: engine };
    },
  };

  const above = !told.below || input(0).d[flat(unit, shape)] > told.bound;
  const parts = (told.each?.[unit[0]] ?? (above ? told.parts : told.below)).map((part) => {
    const made = makers[part.form](part);
    results[part.symbol ?? part.name] = made.result;
    return made;
  });
  const letters = { o: unit[name === "linear" ? unit.length - 1 : 0], c: unit[0], k: unit[(line?.options.axis ?? 1) - 1], i: unit[1], j: unit[2], n: parts[0].counted };
  const symbols = Object.fromEntries(Object.entries(told.symbols).map(([letter, n]) => [letter, letters[letter] ?? n]));
  const { path, kind, repr, equation, exact } = told;
  return { value, path, kind, repr, unit, engine, result: parts[parts.length - 1].result, equation, symbols, exact, parts };
}
