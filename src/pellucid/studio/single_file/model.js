// The model object of a single file: questions are answered from what is in the file, or by a
// worker that computes the network.

/** An answer that is an error, as the server's. */
class AskError extends Error {
  /**
   * @param {string} message
   * @param {string} kind
   */
  constructor(message, kind) {
    super(message);
    this.kind = kind;
  }
}

/**
 * @param {any} page   What writing.py tells.
 * @param {string} weights   As base64.
 * @param {string} script   Of the worker.
 * @returns {import("../page/types.js").Model}
 */
export function fileModel(page, weights, script) {
  const { network, lessons, gallery, texts } = page;
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void}>} */
  const waiting = new Map();
  let questions = 0;
  worker.onmessage = ({ data: { id, answer, error } }) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error) asked?.reject(new AskError(error.message, error.kind));
    else asked?.resolve(answer);
  };
  const compute = (/** @type {string} */ ask, /** @type {any} */ args) => new Promise((resolve, reject) => {
    waiting.set(++questions, { resolve, reject });
    worker.postMessage({ id: questions, ask, args });
  });
  const loaded = compute("load", { found: page.computed, base64: weights });
  const floats = (/** @type {number[]} */ list) => ({ shape: [list.length], data: Float32Array.from(list) });
  const whole = (/** @type {number[]} */ list) => ({ shape: [list.length], data: Int32Array.from(list) });

  /** @type {Record<string, (args: any) => any>} */
  const answers = {
    networks: () => ({ networks: [{ id: network.id, name: network.name }], current: network.id }),
    network: () => network,
    lessons: () => ({
      begins: null,
      lessons: Object.entries(lessons).map(([name, each]) => ({ name, title: each.title, steps: each.steps.length })),
    }),
    lesson: ({ name }) => {
      if (!lessons[name]) throw new AskError(`there is no lesson '${name}' in this file.`, "refused");
      const { title, steps, trained = false } = lessons[name];
      return { name, title, steps, trained };
    },
    see: async ({ picture, file, ...rest }) => {
      const given = file ? await pixelsOf(file) : picture && { data: picture.data, width: picture.shape[1], height: picture.shape[0] };
      const seen = await compute("see", { picture: given, ...rest });
      const words = texts[document.documentElement.lang] ?? texts.en;
      return { ...seen, how: seen.how && words[`file.${seen.how}`] };
    },
    gallery: async ({ order = "mistakes", start = 0, count = 50 }) => {
      const { shape: [n, ...each], labels, guesses, confidences } = gallery;
      const wrong = labels.map((/** @type {number} */ label, /** @type {number} */ k) => Number(label !== guesses[k]));
      const all = [...labels.keys()], ranked = order === "mistakes" ? all.sort((a, b) => wrong[b] - wrong[a] || a - b) : all;
      const chosen = ranked.slice(start, start + count), size = each.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
      const bytes = await compute("pictures", { chosen, size }), of = (/** @type {any[]} */ list) => chosen.map((k) => list[k]);
      return {
        total: n, mistakes: wrong.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0), parts: ["test"],
        indices: whole(chosen), labels: whole(of(labels)), guesses: whole(of(guesses)), confidences: floats(of(confidences)),
        pictures: { shape: [chosen.length, ...each], data: bytes },
      };
    },
  };
  for (const name of ["maps", "unit", "field"]) answers[name] = (args) => compute(name, args);

  return {
    ask: async (name, args = {}) => {
      await loaded;
      if (!answers[name]) throw new AskError(`this file does not answer '${name}'; the studio does.`, "refused");
      return answers[name](args);
    },
    on: () => () => {}, // nothing happens here by itself
  };
}

/**
 * The pixels of a picture's file.
 * @param {import("../page/types.js").NDArray} file
 */
async function pixelsOf({ data }) {
  const bitmap = await createImageBitmap(new Blob([data]), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = document.createElement("canvas"), { width, height } = Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(bitmap, 0, 0);
  return { data: context.getImageData(0, 0, width, height).data, width, height };
}
