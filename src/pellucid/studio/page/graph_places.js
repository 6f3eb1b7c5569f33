// Where each box of the graph stands, from the columns and lanes that Python has found for it.

/** @typedef {import("./types.js").Value} Value */
/** @typedef {{words: string, kind: string, value: number}} Line */

/**
 * A box: its values, its place in the graph, and its place in the picture.
 * @typedef {object} Box
 * @property {number} id   Of its last value.
 * @property {Value[]} members
 * @property {number} column
 * @property {number} lane
 * @property {number[]} reads
 * @property {number[]} readers
 * @property {number} x   Of the left edge of its front.
 * @property {number} y   Of the middle of its front.
 * @property {number} left   Of its words.
 * @property {number} thick
 * @property {number} tall
 * @property {number} back   How far it goes back.
 * @property {Line[]} words
 */

const LETTER = 6.3, LINE = 13; // pixels: the mean width of a letter, and the height of a line
const EDGE = 8; // pixels from the border

/**
 * Sizes of blocks: height and depth by the logarithm of rows and columns, thickness by that of the
 * channels; a row of numbers is a bar.
 * @param {Value[]} values
 * @param {number} scale
 */
function sizes(values, scale) {
  const shapes = values.map(({ shape }) => shape), images = shapes.filter(({ length }) => length === 3);
  const deep = Math.max(1, ...images.map(([c]) => c));
  const side = Math.max(1, ...images.map(([, h, w]) => Math.max(h, w)));
  const long = Math.max(1, ...shapes.filter(({ length }) => length !== 3).map(([n]) => n));
  /** @type {(n: number, most: number, least: number, by: number) => number} */
  const grown = (n, most, least, by) => scale * (least + (by * Math.log2(1 + n)) / Math.log2(1 + most));
  return (/** @type {number[]} */ shape) => {
    const [c, h, w] = shape;
    if (shape.length !== 3) return { thick: 9 * scale, tall: grown(c, long, 10, 62), back: 0 };
    return { thick: grown(c, deep, 5, 24), tall: grown(h, side, 8, 56), back: grown(w, side, 3, 24) };
  };
}

/**
 * @param {import("./types.js").Network} network
 * @param {"stages" | "values"} which
 * @param {{width: number, scale: number, words: (box: Box) => Line[]}} how
 * @returns {{boxes: Box[], edges: number[][][], size: number[]}}   `edges`: the corners of each.
 */
export function placed(network, which, { width, scale, words }) {
  const { values, layout: { [which]: layout } } = network, sizeOf = sizes(values, scale);
  /** @type {Map<number, Box>} */
  const boxes = new Map(layout.boxes.map(([id, column, lane]) => {
    const members = values.filter((each) => (which === "stages" ? each.stage : each.id) === id);
    const box = {
      id, members, column, lane, reads: [], readers: [], x: 0, y: 0, left: 0, words: [],
      ...sizeOf(values[id].shape),
    };
    box.words = /** @type {any} */ (words(box));
    return [id, box];
  }));
  const box = (/** @type {number} */ id) => /** @type {Box} */ (boxes.get(id));
  for (const [from, to] of layout.edges) {
    box(from).readers.push(to);
    box(to).reads.push(from);
  }
  const bends = layout.edges.some(([from, to, lane]) => lane !== box(from).lane || lane !== box(to).lane);
  const between = (scale < 1 ? 13 : 26) * (bends ? 1 : 0.8);

  // Rows: as many columns as fit, ended where the graph may be broken.
  const all = [...boxes.values()], columns = Math.max(...all.map(({ column }) => column)) + 1;
  const widths = Array(columns).fill(0);
  for (const { column, thick, back, words } of all)
    widths[column] = Math.max(widths[column], thick + back, ...words.map(({ words }) => words.length * LETTER));
  /** @type {{from: number, to: number}[]} */
  const rows = [{ from: 0, to: 0 }];
  const wide = (/** @type {number} */ from, /** @type {number} */ to) =>
    widths.slice(from, to + 1).reduce((sum, each) => sum + each + between, 2 * EDGE);
  for (const end of [...layout.breaks.slice(1), columns - 1]) { // never after the image alone
    const row = rows[rows.length - 1];
    if (wide(row.from, end) <= width || row.from > row.to || (row.from === 0 && row.to === 0)) row.to = end;
    else rows.push({ from: row.to + 1, to: end });
  }

  /** @type {number[][][]} */
  const edges = [];
  let below = EDGE, widest = 0;
  for (const { from, to } of rows) {
    const inside = all.filter(({ column }) => column >= from && column <= to);
    const ending = layout.edges.filter(([, head]) => inside.includes(box(head)));
    const y = heights(inside, ending.map(([, , lane]) => lane), below, scale);
    const at = [from > 0 ? between : EDGE];
    for (let k = from; k <= to; k++) at.push(at[at.length - 1] + widths[k] + between);
    for (const each of inside) {
      Object.assign(each, { x: at[each.column - from], left: at[each.column - from], y: y.of(each.lane) });
    }
    const leave = (/** @type {Box} */ { x, y, thick, back }) => [x + thick + back * 0.5, y];
    for (const [a, b, lane] of ending) {
      const tail = box(a), head = box(b), starts = tail.column >= from;
      const [x0, y0] = starts ? leave(tail) : [EDGE / 2, y.of(y.has(tail.lane) ? tail.lane : head.lane)];
      const turn = starts ? tail.x + widths[tail.column] + between * 0.25 : x0 + between * 0.25;
      const back = head.x - between * 0.3, end = [head.x - 1, head.y], run = y.of(lane);
      const corners = [[x0, y0]];
      if (run !== y0) corners.push([turn, y0], [turn, run]);
      if (run !== head.y) corners.push([back, run], [back, head.y]);
      edges.push([...corners, end]);
    }
    const right = at[at.length - 1] - between + EDGE;
    for (const each of inside) // what goes on in the next row
      if (each.readers.some((id) => box(id).column > to))
        edges.push([leave(each), [right + between * 0.5, each.y]]);
    widest = Math.max(widest, right + (to < columns - 1 ? between * 0.5 + EDGE : 0));
    below = y.end + (scale < 1 ? EDGE : 2.2 * EDGE);
  }
  return { boxes: all, edges, size: [Math.ceil(widest), Math.ceil(below - EDGE)] };
}

/**
 * The middle of each lane of a row, from the top of the row on.
 * @param {Box[]} boxes
 * @param {number[]} lanes   Those of edges, which need little room.
 * @param {number} top
 * @param {number} scale
 */
function heights(boxes, lanes, top, scale) {
  const used = [...new Set([...boxes.map(({ lane }) => lane), ...lanes])].sort((a, b) => a - b);
  /** @type {Map<number, number>} */
  const middles = new Map();
  let y = top;
  for (const lane of used) {
    const own = boxes.filter((each) => each.lane === lane), room = own.length ? 0 : 7 * Math.sqrt(scale);
    y += Math.max(room, ...own.map(({ tall, back }) => tall / 2 + back * 0.6 + 2));
    middles.set(lane, y);
    const below = (/** @type {Box} */ { words: { length } }) => (length ? LINE * length + 12 : 2);
    y += Math.max(room, ...own.map((each) => each.tall / 2 + below(each)));
  }
  return {
    of: (/** @type {number} */ lane) => middles.get(lane) ?? top,
    has: (/** @type {number} */ lane) => middles.has(lane),
    end: y,
  };
}
