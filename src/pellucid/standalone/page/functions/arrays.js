// Joins, and functions that move numbers

const strides = (s) => s.map((_, k) => product(s.slice(k + 1)));

// Calls f(place) for each place of the shape s, in order; a place counts `steps` along each axis.
function walk(s, steps, start, f) {
  const index = s.map(() => 0), total = product(s);
  for (let n = 0, at = start; n < total; n++) {
    f(at, n);
    for (let k = s.length - 1; k >= 0; k--) {
      at += steps[k];
      if (++index[k] < s[k]) break;
      at -= steps[k] * s[k];
      index[k] = 0;
    }
  }
}

// The numbers of x broadcast to the shape s.
function spread(x, s) {
  if (x.d.length === product(s)) return x.d;
  const own = [...Array(Math.max(0, s.length - x.s.length)).fill(1), ...x.s].slice(-s.length || undefined);
  const y = new Float32Array(product(s));
  walk(s, strides(own).map((step, k) => (own[k] === 1 ? 0 : step)), 0, (at, n) => { y[n] = x.d[at]; });
  return y;
}

const join = (f) => (y, s, xs, a) => {
  const parts = [...xs, ...Object.values(a)].map((x) => spread(x, s));
  y.set(parts[0]);
  for (const d of parts.slice(1)) for (let i = 0; i < y.length; i++) y[i] = f(y[i], d[i]);
};
F.add = F.shift = join((a, b) => a + b);
F.multiply = F.scale = join((a, b) => a * b);
F.subtract = join((a, b) => a - b);
F.divide = join((a, b) => a / b);
F.maximum = join(Math.max);
F.minimum = join(Math.min);

F.concat = (y, s, xs, a, { axis = 1 }) => {
  const after = product(s.slice(axis)), block = after * s[axis - 1];
  let at = 0;
  for (const x of xs) {
    const n = after * x.s[axis - 1];
    for (let r = 0; r < y.length / block; r++) y.set(x.d.subarray(r * n, (r + 1) * n), r * block + at);
    at += n;
  }
};
F.reshape = (y, s, [x]) => y.set(x.d);
F.permute = (y, s, [x], a, { axes }) => {
  const steps = strides(x.s);
  walk(s, axes.slice(1).map((axis) => steps[axis - 1]), 0, (at, n) => { y[n] = x.d[at]; });
};
F.part = (y, s, [x], a, { axis, start, step = 1 }) => {
  const steps = strides(x.s), k = axis - 1, n = x.s[k];
  let first = start ?? (step > 0 ? 0 : n - 1);
  first = between(first < 0 ? first + n : first, step > 0 ? 0 : -1, step > 0 ? n : n - 1);
  const from = first * steps[k];
  steps[k] *= step;
  walk(s, steps, from, (at, i) => { y[i] = x.d[at]; });
};

const reduce = (begin, f, mean) => (y, s, [x], a, { axes }) => {
  const inside = x.s.map((n, k) => (axes.includes(k + 1) ? 1 : n)), own = strides(inside);
  const sums = new Float64Array(y.length).fill(begin);
  let n = 0;
  walk(x.s, own.map((step, k) => (inside[k] === 1 ? 0 : step)), 0, (at) => { sums[at] = f(sums[at], x.d[n++]); });
  for (let i = 0; i < y.length; i++) y[i] = mean ? (sums[i] * y.length) / n : sums[i];
};
F.mean_over = reduce(0, (m, v) => m + v, true);
F.sum_over = reduce(0, (m, v) => m + v);
F.max_over = reduce(-Infinity, Math.max);
F.min_over = reduce(Infinity, Math.min);
F.lp_over = (y, s, [x], a, { p }) => {
  const n = x.d.length / y.length;
  for (let i = 0; i < x.d.length; i++) y[Math.floor(i / n)] += Math.abs(x.d[i]) ** p;
  for (let i = 0; i < y.length; i++) y[i] **= 1 / p;
};

// Which cell of n a padded place shows; -1 for none.
const shown = { // reflect does not repeat the border
  constant: (i, n) => (i < 0 || i >= n ? -1 : i),
  edge: (i, n) => between(i, 0, n - 1),
  wrap: (i, n) => ((i % n) + n) % n,
  reflect: (i, n) => { const m = Math.max(1, 2 * n - 2), k = ((i % m) + m) % m; return k < n ? k : m - k; },
};
F.pad2d = (y, [c, oh, ow], [x], a, { sides: [top, bottom, left, right], mode = "constant", value = 0 }) => {
  const [, h, w] = x.s, cut = (side) => Math.max(-side, 0); // a negative side removes cells first
  const place = (i, n, before, after) => {
    const k = shown[mode](i - Math.max(before, 0), n - cut(before) - cut(after));
    return k < 0 ? -1 : k + cut(before);
  };
  for (let k = 0, at = 0; k < c; k++) for (let i = 0; i < oh; i++) {
    const row = place(i, h, top, bottom);
    for (let j = 0; j < ow; j++, at++) {
      const column = place(j, w, left, right);
      y[at] = row < 0 || column < 0 ? value : x.d[(k * h + row) * w + column];
    }
  }
};
F.zero_pad_shortcut = (y, [, oh, ow], [x], a, { stride: [sh, sw] }) => {
  const [c, h, w] = x.s;
  for (let k = 0, at = 0; k < c; k++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++)
    y[at++] = x.d[(k * h + i * sh) * w + j * sw];
};
F.pixel_shuffle = (y, [c, oh, ow], [x], a, { factor: r, mode = "CRD" }) => {
  const [, h, w] = x.s;
  for (let k = 0, at = 0; k < c; k++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) {
    const cell = (i % r) * r + (j % r), channel = mode === "CRD" ? k * r * r + cell : cell * c + k;
    y[at++] = x.d[(channel * h + Math.floor(i / r)) * w + Math.floor(j / r)];
  }
};
F.pixel_unshuffle = (y, [, oh, ow], [x], a, { factor: r, mode = "CRD" }) => {
  const [c, h, w] = x.s;
  for (let k = 0, at = 0; k < c * r * r; k++) {
    const [channel, cell] = mode === "CRD" ? [Math.floor(k / (r * r)), k % (r * r)] : [k % c, Math.floor(k / c)];
    const u = Math.floor(cell / r), v = cell % r;
    for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) y[at++] = x.d[(channel * h + i * r + u) * w + j * r + v];
  }
};
F.softmax = (y, s, [x], a, { axis = 1 }) => {
  const n = s[axis - 1], step = product(s.slice(axis));
  for (let at = 0; at < y.length; at++) {
    if (Math.floor(at / step) % n) continue; // the first number along the axis stands for all
    let most = -Infinity, sum = 0;
    for (let k = 0; k < n; k++) most = Math.max(most, x.d[at + k * step]);
    for (let k = 0; k < n; k++) sum += Math.exp(x.d[at + k * step] - most);
    for (let k = 0; k < n; k++) y[at + k * step] = Math.exp(x.d[at + k * step] - most) / sum;
  }
};
