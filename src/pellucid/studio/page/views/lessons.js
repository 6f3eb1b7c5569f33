// A lesson above the views: its text, step by step; each step sets what the views show.

import { make, stillness } from "../dom.js";
import { paragraphs, resolved, stateAt, valueOf } from "../lesson_steps.js";

/** @type {Record<string, number>} */
const PAGES = { PageDown: 1, PageUp: -1 };
/** @type {Record<string, number>} */
const ARROWS = { ArrowRight: 1, ArrowLeft: -1 };
const SCROLLS = ["wheel", "pointerdown", "touchmove", "keydown"]; // what a reader does who looks elsewhere

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { state } = studio;
  const root = /** @type {HTMLElement} */ (element.closest(".studio") ?? document.body);
  const panel = make("section", { class: "lesson", "data-part": "lesson" });
  element.append(panel);
  /** @type {import("../lesson_steps.js").Lesson | null} */
  let lesson = null;
  let begun = false; // a lesson of one's own is begun once
  let sought = 0; // until when what to look at is brought into sight: what is above it may still grow
  const language = () => studio.text("language");
  const said = (/** @type {Record<string, any>} */ words) => words[language()] ?? Object.values(words)[0];
  const count = () => lesson?.steps.length ?? 0;
  const current = () => Math.min(Math.max(state.number("step") || 1, 1), count() || 1);

  async function open() {
    const name = state.get("lesson");
    if (!name) { lesson = null; return draw(); }
    if (lesson?.name === name) return draw();
    try {
      lesson = await studio.model.ask("lesson", { name });
      if (!state.values.view) // a link that names the step alone
        state.set({ ...await resolved(/** @type {any} */ (lesson), current(), studio), step: current() });
    } catch (error) {
      lesson = null;
      state.set({ lesson: "", step: "" });
      studio.announce(/** @type {Error} */ (error).message);
    }
    draw();
  }

  /** @param {number} k */
  async function go(k) {
    if (!lesson || k < 1 || k > count()) return;
    state.set({ ...await resolved(lesson, k, studio), step: k }, { step: true });
  }

  /** @param {string} name */
  async function begin(name) {
    begun = true;
    lesson = await studio.model.ask("lesson", { name });
    state.set({ ...await resolved(/** @type {any} */ (lesson), 1, studio), lesson: name, step: 1 }, { step: true });
    panel.querySelector("h2")?.focus();
  }

  function draw() {
    root.classList.toggle("large", state.get("letters") === "large");
    root.classList.toggle("teaching", lesson !== null);
    sought = performance.now() + 2000;
    if (lesson) drawStep(lesson);
    else drawList();
    mark();
  }

  async function drawList() {
    const { lessons, begins } = await studio.model.ask("lessons");
    if (lesson) return;
    if (begins && !state.values.view && !begun) return begin(begins);
    const focused = panel.contains(document.activeElement);
    panel.setAttribute("aria-label", studio.text("lessons.title"));
    panel.replaceChildren(make("h2", { text: studio.text("lessons.title") }),
      ...lessons.map((/** @type {any} */ each) => make("button", {
        type: "button", class: "link", text: said(each.title), title: studio.text("lessons.steps", { n: each.steps }), onclick: () => begin(each.name),
      })));
    if (focused) panel.querySelector("button")?.focus();
  }

  /** @param {import("../lesson_steps.js").Lesson} lesson */
  function drawStep(lesson) {
    const k = current(), { value = "" } = stateAt(lesson, k), place = studio.text("lessons.place", { k, n: count() });
    const untrained = lesson.trained && studio.network.dataset === null;
    const lacks = value && Number.isNaN(valueOf(studio.network, value));
    const words = paragraphs(said(lesson.steps[k - 1].text));
    const button = (/** @type {string} */ key, /** @type {object} */ more) =>
      make("button", { type: "button", text: studio.text(`lessons.${key}`), ...more });
    const large = state.get("letters") === "large";
    const had = /** @type {HTMLElement | null} */ (panel.contains(document.activeElement) ? document.activeElement : null)?.dataset.to;
    panel.setAttribute("aria-label", said(lesson.title));
    panel.replaceChildren(...[
      make("div", { class: "walk" },
        make("h2", { text: said(lesson.title), tabindex: -1, "data-to": "title" }),
        make("span", { class: "note", text: place }),
        button("back", { "data-to": "back", disabled: k === 1, onclick: () => go(k - 1) }),
        button("next", { "data-to": "next", class: "primary", disabled: k === count(), onclick: () => go(k + 1) }),
        button("large", { "data-to": "large", class: "quiet", "aria-pressed": String(large), onclick: () => state.set({ letters: large ? "" : "large" }) }),
        button("close", { "data-to": "close", class: "quiet", onclick: () => state.set({ lesson: "", step: "", letters: "" }, { step: true }) })),
      make("progress", { max: count(), value: k, "aria-label": place }),
      make("div", { class: "words", "data-step": k }, ...words),
      untrained && make("p", { class: "note", text: studio.text("lessons.untrained") }),
      lacks && make("p", { class: "note", text: studio.text("lessons.lacks", { kind: value.replace(/:-?\d+/g, "").replaceAll("|", " / ") }) }),
    ].filter(Boolean));
    if (had) /** @type {HTMLElement | null} */ (panel.querySelector(`[data-to="${had}"]:not([disabled])`))?.focus();
    studio.announce(`${place}: ${words.map((p) => p.textContent).join(" ")}`);
  }

  // What to look at is outlined, also once a view has drawn it anew.
  function mark() {
    const look = lesson?.steps[current() - 1].look ?? "";
    const selector = /^[\w-]+$/.test(look) ? `[data-part~="${look}"], .${look}` : look;
    /** @type {Set<Element>} */
    let wanted = new Set();
    try { wanted = new Set(selector ? root.querySelectorAll(selector) : []); } catch { /* not a selector */ }
    for (const each of root.querySelectorAll(".looked-at")) if (!wanted.has(each)) each.classList.remove("looked-at");
    for (const each of wanted) each.classList.add("looked-at");
    const [first] = wanted;
    if (!first || performance.now() > sought) return;
    // Not below the lesson, which stays at the top.
    const stays = getComputedStyle(element).position === "sticky" && !first.closest(".beside");
    /** @type {HTMLElement} */ (first).style.scrollMarginTop = stays ? `${panel.offsetHeight + 12}px` : "";
    first.scrollIntoView({ block: "nearest", inline: "nearest", behavior: stillness() ? "auto" : "smooth" });
  }
  const found = () => { sought = 0; }; // the reader scrolls, or goes on
  for (const name of SCROLLS) root.addEventListener(name, found, { passive: true });
  const drawnAnew = new MutationObserver(mark);
  drawnAnew.observe(root, { childList: true, subtree: true });

  /** @type {(keys: Record<string, number>) => (event: KeyboardEvent) => void} */
  const walking = (keys) => (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!lesson || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (target.matches("input, textarea, select, dialog *, [contenteditable]")) return;
    const by = keys[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    go(current() + by);
  };
  // The keys of a presenter's remote are the lesson's; arrows go to the view first.
  const byPages = walking(PAGES), byArrows = walking(ARROWS);
  root.addEventListener("keydown", byPages, { capture: true });
  root.addEventListener("keydown", byArrows);
  open();
  return {
    update: (changed) => {
      if (changed.has("lesson")) open();
      else if (["step", "lang", "letters", "network"].some((key) => changed.has(key))) draw();
    },
    dispose: () => {
      drawnAnew.disconnect();
      for (const name of SCROLLS) root.removeEventListener(name, found);
      root.removeEventListener("keydown", byPages, { capture: true });
      root.removeEventListener("keydown", byArrows);
      panel.remove();
    },
  };
}
