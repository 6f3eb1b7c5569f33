// The image that the network sees: drawn, chosen, dropped or pasted; and the network's answer.

import { photograph } from "../colours.js";
import { answerInWords, classesFor } from "../classes.js";
import { make, newestOnly } from "../dom.js";
import { galleryFor } from "../gallery.js";
import { problem } from "../notices.js";
import { receivedFor } from "../received.js";
import { sheetFor } from "../sheet.js";
import { read, written } from "../strokes.js";

const MOST_BYTES = 3.5 * 2 ** 20; // of a file; larger pictures are made smaller first
const SMALLER = 900; // pixels of their longer side

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { state } = studio, says = make("div"), about = make("p", { class: "about" });
  /** @type {ReturnType<typeof build>} */
  let parts;

  let newest = 0, asking = 0, settled = 0; // turns: the newest image, the one that is asked about, the last answered
  const inTurn = newestOnly(async (/** @type {number} */ turn, /** @type {() => any} */ args, /** @type {any} */ more) => {
    asking = turn;
    try {
      await studio.see(await args(), { ...more, turn });
      problem(says, null);
      if (turn === newest && studio.seen?.source) studio.announce(answerInWords(studio));
    } catch (error) {
      problem(says, error);
    }
    settled = turn;
  });
  const see = (/** @type {() => any} */ args, /** @type {any} */ more = {}) => inTurn(++newest, args, more);

  /** Whether what is seen is what is wanted: no line has been begun since. Another view gives no turn. */
  const wanted = (/** @type {import("../types.js").Seen | null} */ seen) =>
    newest === (seen ? seen.turn ?? settled : asking);

  function build() {
    const { text, network } = studio;
    const look = (/** @type {string | null} */ source) =>
      see(() => ({ picture: sheet.pixels() }), { source });
    const sheet = sheetFor(studio, {
      moved: () => look(null),
      done: () => {
        if (sheet.blank()) {
          see(() => null);
          state.set({ image: "blank" });
        } else look(`drawn:${written(sheet.strokes())}`);
      },
    });
    const file = make("input", { type: "file", accept: "image/*", class: "spoken", onchange: () => {
      take(file.files[0]);
      file.value = "";
    } });
    sheet.tools.children[1].after(make("label", { class: "button" }, text("image.file"), file));
    const classes = classesFor(studio), received = receivedFor(studio);
    element.replaceChildren(make("h2", { class: "spoken", text: text("image.title") }), sheet.element, says,
      about, classes.element, received.element);
    if (network.data && network.can.includes("gallery"))
      element.append(galleryFor(studio, (part, index) => see(() => ({ part, index }))).element);
    return { sheet, classes, received };
  }

  /** Shows what the address says, or the first image. */
  function load() {
    const source = state.get("image"), [, part, index] = /^(\w+):(\d+)$/.exec(source) ?? [];
    const strokes = source.startsWith("drawn:") ? read(source.slice(6)) : [];
    problem(says, null);
    if (strokes.length) {
      parts.sheet.show({ strokes });
      see(() => ({ picture: parts.sheet.pixels() }), { source });
    } else if (part) see(() => ({ part, index: Number(index) }));
    else if (source !== "blank" && studio.network.data) see(() => ({ part: "test", index: 0 }), { source: "" });
    else see(() => null);
  }

  /** @param {File | undefined} file */
  async function take(file) {
    if (!file) return;
    const source = await createImageBitmap(file).catch(() => null);
    await see(async () => {
      if (file.size <= MOST_BYTES)
        return { file: { shape: [file.size], data: new Uint8Array(await file.arrayBuffer()) } };
      if (!source) throw new Error(studio.text("image.too_large", { name: file.name }));
      return { picture: smaller(source) };
    }, { source: "file" });
    if (source && studio.seen?.source === "file")
      parts.sheet.show({ picture: { width: source.width, height: source.height, source } });
  }

  function show() {
    const { seen, network } = studio;
    const ahead = !wanted(seen); // the sheet, of the answer
    if (!seen && !ahead) parts.sheet.show({});
    else if (seen && !ahead && seen.source !== null && !seen.source.startsWith("drawn:")) {
      const [, height, width] = seen.numbers.shape, source = make("canvas", { width, height });
      source.getContext("2d").putImageData(photograph(seen.numbers, network.range), 0, 0);
      parts.sheet.show({ picture: { width, height, source } });
    }
    about.textContent = origin();
    parts.classes.update();
    parts.received.update();
  }

  /** Where the image is from, in words. */
  function origin() {
    const { seen, text, network: { classes } } = studio;
    if (!seen) return "";
    if (seen.source === "file") return text("image.file_note");
    if (state.get("image") === "file") return text("image.no_file");
    if (seen.label === null) return "";
    const [, part, index] = /^(\w+):(\d+)$/.exec(seen.source ?? "") ?? ["", "test", "0"];
    const name = classes[seen.label] ?? seen.label;
    return text("image.labelled", { part: text(`image.${part}`), index, name });
  }

  // Pictures that are dropped or pasted anywhere, and undo.
  const over = (/** @type {boolean} */ is) => parts.sheet.drawing.classList.toggle("over", is);
  /** @type {Record<string, (event: any) => void>} */
  const heard = {
    dragover: (event) => { event.preventDefault(); over(true); },
    dragleave: () => over(false),
    drop: (event) => { event.preventDefault(); over(false); take(event.dataTransfer.files[0]); },
    paste: (event) => take([...event.clipboardData.files].find(({ type }) => type.startsWith("image/"))),
    keydown: (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key !== "z") return;
      if (event.target.closest("input, textarea")) return;
      event.preventDefault();
      parts.sheet.back();
    },
  };
  const studioElement = element.closest(".studio"); // in a notebook, a part of the page
  const page = studioElement === document.body ? document : studioElement ?? element;
  for (const [name, listener] of Object.entries(heard)) page.addEventListener(name, listener);

  parts = build();
  load();
  return {
    update: (changed) => {
      if (changed.has("network")) {
        parts = build();
        about.textContent = "";
        load();
        return;
      }
      if (changed.has("lang")) {
        const { sheet } = parts, kept = { strokes: sheet.strokes(), picture: sheet.picture() };
        parts = build();
        parts.sheet.show(kept);
      }
      if (changed.has("image") && state.get("image") !== studio.seen?.source) load();
      if (changed.has("seen")) show();
      else if (changed.has("class")) parts.classes.update();
    },
    dispose: () => {
      for (const [name, listener] of Object.entries(heard)) page.removeEventListener(name, listener);
    },
  };
}

/**
 * The pixels (H, W, 4) of a picture, at most 900 along its longer side.
 * @param {ImageBitmap} source
 */
function smaller(source) {
  const scale = SMALLER / Math.max(source.width, source.height);
  const width = Math.round(source.width * scale), height = Math.round(source.height * scale);
  const context = make("canvas", { width, height }).getContext("2d");
  context.drawImage(source, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return { shape: [height, width, 4], data: new Uint8Array(data.buffer) };
}
