// Finds a drawing on plain ground: `find_drawing` of pellucid/data/drawing.py, with its numbers.
"use strict";
const WORK = 192, LOOKS = 3, CLOSE = 0.35, FEW = 12;

function findDrawing(grey, w, h, drawing, H, W) {
  const light = () => {
    let low = Infinity, high = -Infinity;
    for (const v of grey) { low = Math.min(low, v); high = Math.max(high, v); }
    const border = borderOf(grey, w, h), middle = Math.max((low + high) / 2, 0.25);
    return border.filter((v) => v > middle).length / border.length >= 0.75;
  };
  if (w === W && h === H && !light()) return [null, ""];
  let region = { x: grey, w, h }, found;
  for (let look = 0; look < LOOKS; look++) { // again, zoomed in on what was found, if it is small
    found = inkOf(region);
    if (!found) return [null, "none"];
    const { box, factor } = found, longest = Math.max(box[2] - box[0], box[3] - box[1]);
    if (factor === 1 || longest >= CLOSE * WORK) break;
    if (look + 1 === LOOKS) break;
    const i0 = Math.max(Math.trunc((box[0] - longest / 2) * factor), 0), j0 = Math.max(Math.trunc((box[1] - longest / 2) * factor), 0);
    const i1 = Math.min(Math.ceil((box[2] + longest / 2) * factor), region.h), j1 = Math.min(Math.ceil((box[3] + longest / 2) * factor), region.w);
    const x = new Float32Array((i1 - i0) * (j1 - j0));
    for (let i = i0; i < i1; i++) x.set(region.x.subarray(i * region.w + j0, i * region.w + j1), (i - i0) * (j1 - j0));
    region = { x, w: j1 - j0, h: i1 - i0 };
  }
  const { ink, mask, level, box, sw, sh } = found;
  // Faint pixels are background or a stroke's edge; nearly full ones are ink.
  const near = dilated(mask, sw, sh);
  const strength = Float32Array.from(ink, (v, i) => (near[i] ? clamp((v / level - 0.15) / 0.7, 0, 1) : 0));
  const framed = region.x === grey && framedDrawing(strength, sw, sh, box, drawing, H, W);
  return [framed || placedDrawing(strength, sw, sh, box, drawing, H, W), "found"];
}

// Ink, its mask and its box in a region that is reduced for the search; null if there is none.
function inkOf({ x, w, h }) {
  const factor = Math.max(Math.max(w, h) / WORK, 1);
  const sw = factor > 1 ? Math.max(rint(w / factor), 1) : w, sh = factor > 1 ? Math.max(rint(h / factor), 1) : h;
  const small = factor > 1 ? resized(x, w, h, sw, sh, "box", false) : x;
  const ink = overBackground(small, sw, sh), level = inkLevel(ink);
  const paper = ink.filter((v) => v < level / 2).map(Math.abs);
  const noise = paper.length ? 1.4826 * median(paper) : level;
  if (level < Math.max(0.06, 6 * noise)) return null;
  const mask = withoutSpecks(Uint8Array.from(ink, (v) => (v > level / 2 ? 1 : 0)), sw, sh);
  const box = [sh, sw, 0, 0];
  for (let i = 0; i < sh; i++) for (let j = 0; j < sw; j++) if (mask[i * sw + j]) {
    box[0] = Math.min(box[0], i); box[1] = Math.min(box[1], j);
    box[2] = Math.max(box[2], i + 1); box[3] = Math.max(box[3], j + 1);
  }
  return { ink, mask, level, box, factor, sw, sh };
}

// The index of each value's bin of `count` between low and high; -1 outside.
function binOf(v, low, high, count) {
  if (!(v >= low && v <= high)) return -1;
  return Math.min(Math.floor(((v - low) / (high - low)) * count), count - 1);
}

// Each pixel's distance from the background towards ink: a quadratic surface, fitted by iteratively
// reweighted least squares.
function overBackground(x, w, h) {
  const n = w * h, counts = new Float64Array(34), background = new Float64Array(n);
  for (const v of borderOf(x, w, h)) counts[binOf(v, 0, 1, 32) + 1]++;
  let best = 1, most = -1;
  for (let k = 1; k <= 32; k++) {
    const smooth = (k > 1 ? counts[k - 1] : 0) + 2 * counts[k] + (k < 32 ? counts[k + 1] : 0);
    if (smooth > most) { most = smooth; best = k; }
  }
  background.fill((best - 0.5) / 32);
  const at = (k, m) => (m === 1 ? -1 : -1 + (2 * k) / (m - 1));
  for (const terms of [1, 3, 3, 6, 6, 6]) { // a constant, a plane, a quadratic surface
    const spread = clamp(1.4826 * median(x.map((v, i) => Math.abs(v - background[i]))), 0.01, 0.1);
    const a = Array.from({ length: terms }, () => new Float64Array(terms + 1)), t = new Float64Array(6);
    const surface = (i) => { const q = at(i % w, w), p = at(Math.floor(i / w), h); t[0] = 1; t[1] = q; t[2] = p; t[3] = q * p; t[4] = q * q; t[5] = p * p; };
    for (let i = 0; i < n; i++) {
      const weight = 1 / (1 + ((x[i] - background[i]) / (2 * spread)) ** 2), square = weight * weight;
      surface(i);
      for (let r = 0; r < terms; r++) {
        for (let c = r; c < terms; c++) a[r][c] += square * t[r] * t[c];
        a[r][terms] += square * t[r] * x[i];
      }
    }
    const solution = solved(a);
    for (let i = 0; i < n; i++) {
      surface(i);
      let sum = 0;
      for (let r = 0; r < terms; r++) sum += solution[r] * t[r];
      background[i] = sum;
    }
  }
  const darker = background.map((v, i) => v - x[i]), ranked = Float64Array.from(darker).sort();
  let low = 0, high = 0;
  for (let k = 0; k < Math.min(FEW, n); k++) { low -= ranked[k]; high += ranked[n - 1 - k]; }
  return low <= high ? darker : darker.map((v) => -v);
}

// The solution of symmetric equations [A | b], of which the upper half is given.
function solved(a) {
  const n = a.length;
  for (let r = 0; r < n; r++) for (let c = 0; c < r; c++) a[r][c] = a[c][r];
  for (let k = 0; k < n; k++) {
    let top = k;
    for (let r = k; r < n; r++) if (Math.abs(a[r][k]) > Math.abs(a[top][k])) top = r;
    [a[k], a[top]] = [a[top], a[k]];
    if (Math.abs(a[k][k]) < 1e-12) continue; // one row or column of pixels has no slope
    for (let r = 0; r < n; r++) if (r !== k) {
      const f = a[r][k] / a[k][k];
      for (let c = k; c <= n; c++) a[r][c] -= f * a[k][c];
    }
  }
  return a.map((row, k) => (Math.abs(row[k]) < 1e-12 ? 0 : row[n] / row[k]));
}

// The distance of full ink from the background, by Otsu's threshold.
function inkLevel(ink) {
  const top = ink.reduce((m, v) => Math.max(m, v), -Infinity), bins = 128;
  if (!(top > 0)) return 0;
  const counts = new Float64Array(bins);
  for (const v of ink) { const k = binOf(v, 0, top, bins); if (k >= 0) counts[k]++; }
  const middle = (k) => ((k + 0.5) / bins) * top;
  const all = counts.reduce((a, b) => a + b, 0), sums = counts.reduce((m, v, k) => m + v * middle(k), 0);
  let below = 0, part = 0, best = 0, most = -1;
  for (let k = 0; k < bins - 1; k++) {
    below += counts[k];
    part += counts[k] * middle(k);
    const above = all - below, apart = below && above ? part / below - (sums - part) / above : 0;
    if (below * above * apart * apart > most) { most = below * above * apart * apart; best = k; }
  }
  const full = Float64Array.from(ink.filter((v) => v > (top / bins) * (best + 1))).sort();
  if (!full.length) return 0;
  const place = 0.6 * (full.length - 1), k = Math.floor(place), next = Math.min(k + 1, full.length - 1);
  return full[k] + (full[next] - full[k]) * (place - k);
}

// The 8-connected parts that are not much smaller than the largest.
function withoutSpecks(mask, w, h) {
  const part = new Int32Array(w * h).fill(-1), areas = [], waiting = [];
  for (let i = 0; i < w * h; i++) {
    if (!mask[i] || part[i] >= 0) continue;
    let area = 0;
    part[i] = areas.length;
    waiting.push(i);
    while (waiting.length) {
      const k = waiting.pop(), r = Math.floor(k / w), c = k % w;
      area++;
      for (let y = Math.max(r - 1, 0); y <= Math.min(r + 1, h - 1); y++) for (let x = Math.max(c - 1, 0); x <= Math.min(c + 1, w - 1); x++) {
        const next = y * w + x;
        if (mask[next] && part[next] < 0) { part[next] = areas.length; waiting.push(next); }
      }
    }
    areas.push(area);
  }
  const least = 0.04 * areas.reduce((a, b) => Math.max(a, b), 0);
  return mask.map((m, i) => (m && areas[part[i]] >= least ? 1 : 0));
}

function dilated(mask, w, h) {
  const y = new Uint8Array(w * h);
  for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) if (mask[i * w + j])
    for (let r = Math.max(i - 2, 0); r <= Math.min(i + 2, h - 1); r++)
      y.fill(1, r * w + Math.max(j - 2, 0), r * w + Math.min(j + 3, w));
  return y;
}

// A sum in NumPy's order and precision, as the middle of a symmetric drawing is a tie of two pixels.
function pairwise(a, round, at = 0, n = a.length) {
  if (n > 128) {
    const half = (n >> 1) - ((n >> 1) % 8);
    return round(pairwise(a, round, at, half) + pairwise(a, round, at + half, n - half));
  }
  const r = Array.from(a.subarray(at, at + (n < 8 ? 0 : 8))), even = n - (n % 8);
  for (let i = 8; i < even; i++) r[i % 8] = round(r[i % 8] + a[at + i]);
  for (let m = 4; m && n >= 8; m >>= 1) for (let i = 0; i < m; i++) r[i] = round(r[2 * i] + r[2 * i + 1]);
  let sum = n < 8 ? 0 : r[0];
  for (let i = n < 8 ? 0 : even; i < n; i++) sum = round(sum + a[at + i]);
  return sum;
}

function centreOf(x, w, h, box, drawing) {
  if (drawing.centre === "box") return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  const mass = Math.max(pairwise(x, Math.fround), 1e-6), columns = new Float32Array(w), rows = new Float32Array(h);
  for (let i = 0; i < h; i++) {
    rows[i] = pairwise(x.subarray(i * w, (i + 1) * w), Math.fround);
    for (let j = 0; j < w; j++) columns[j] += x[i * w + j];
  }
  return [rows, columns].map((s) => pairwise(Float64Array.from(s, (v, k) => v * (k + 0.5)), (v) => v) / mass);
}

// The whole picture, if the drawing has the right size and place already.
function framedDrawing(x, w, h, box, drawing, H, W) {
  const scale = H / h, wanted = drawing.box * Math.min(H, W), length = Math.max(box[2] - box[0], box[3] - box[1]) * scale;
  if (Math.abs(w * scale - W) > 0.5) return null;
  const image = resized(x, w, h, W, H, "bilinear", false).map((v) => clamp(v, 0, 1));
  const [y, z] = centreOf(image, W, H, box.map((v) => v * scale), drawing);
  const away = Math.max(Math.abs(y - H / 2), Math.abs(z - W / 2));
  return Math.abs(length - wanted) <= 0.06 * wanted && away <= 1 ? image : null;
}

function placedDrawing(x, w, h, [i0, j0, i1, j1], drawing, H, W) {
  const scale = drawing.box * Math.min(H / (i1 - i0), W / (j1 - j0));
  const fw = clamp(rint((j1 - j0) * scale), 1, W), fh = clamp(rint((i1 - i0) * scale), 1, H);
  const drawn = resized(x, w, h, fw, fh, "bilinear", false, [j0, i0, j1, i1]).map((v) => clamp(v, 0, 1));
  const [y, z] = centreOf(drawn, fw, fh, [0, 0, fh, fw], drawing), more = drawing.centre === "mass" ? 0.5 : 0;
  const i = clamp(rint(H / 2 + more - y), 0, H - fh), j = clamp(rint(W / 2 + more - z), 0, W - fw);
  const image = new Float32Array(H * W);
  for (let r = 0; r < fh; r++) image.set(drawn.subarray(r * fw, (r + 1) * fw), (i + r) * W + j);
  return image;
}
