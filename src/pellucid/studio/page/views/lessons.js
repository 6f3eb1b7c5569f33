// A lesson beside the views: its text, step by step; each step sets what the views show.

import { make, stillness } from "../dom.js";
import { paragraphs, resolved, stateAt, valueOf } from "../lesson_steps.js";

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { state } = studio;
  const root = /** @type {HTMLElement} */ (element.closest(".studio") ?? document.body);
  const panel = make("section", { class: "lesson", "data-part": "lesson" });
  element.append(panel);
  /** @type {import("../lesson_steps.js").Lesson | null} */
  let lesson = null;
  let sought = false; // whether what to look at has been brought into sight
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
      const state_ = state.get("view") ? {} : await resolved(/** @type {any} */ (lesson), current(), studio);
      state.set({ ...state_, step: current() }); // a link may name the step alone
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
    lesson = await studio.model.ask("lesson", { name });
    state.set({ ...await resolved(/** @type {any} */ (lesson), 1, studio), lesson: name, step: 1 }, { step: true });
    panel.querySelector("h2")?.focus();
  }

  function draw() {
    root.classList.toggle("large", state.get("letters") === "large");
    root.classList.toggle("teaching", lesson !== null);
    sought = false;
    if (lesson) drawStep(lesson);
    else drawList();
    mark();
  }

  async function drawList() {
    const { lessons } = await studio.model.ask("lessons");
    if (lesson) return;
    panel.setAttribute("aria-label", studio.text("lessons.title"));
    panel.replaceChildren(make("h2", { text: studio.text("lessons.title") }),
      make("ul", {}, ...lessons.map((/** @type {any} */ each) => make("li", {},
        make("button", { type: "button", class: "link", text: said(each.title), onclick: () => begin(each.name) }),
        make("span", { class: "note", text: ` ${studio.text("lessons.steps", { n: each.steps })}` })))));
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
      make("h2", { text: said(lesson.title), tabindex: -1 }),
      make("progress", { max: count(), value: k, "aria-label": place }),
      make("div", { class: "words", "data-step": k }, ...words),
      untrained && make("p", { class: "note", text: studio.text("lessons.untrained") }),
      lacks && make("p", { class: "note", text: studio.text("lessons.lacks", { kind: value.replace(/:-?\d+/g, "").replaceAll("|", " / ") }) }),
      make("div", { class: "walk" },
        button("back", { "data-to": "back", disabled: k === 1, onclick: () => go(k - 1) }),
        make("span", { class: "note", text: place }),
        button("next", { "data-to": "next", disabled: k === count(), onclick: () => go(k + 1) })),
      make("div", { class: "walk" },
        button("large", { "data-to": "large", "aria-pressed": String(large), onclick: () => state.set({ letters: large ? "" : "large" }) }),
        button("close", { "data-to": "close", onclick: () => state.set({ lesson: "", step: "", letters: "" }, { step: true }) })),
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
    if (!first || sought) return;
    sought = true;
    first.scrollIntoView({ block: "nearest", inline: "nearest", behavior: stillness() ? "auto" : "smooth" });
  }
  const drawnAnew = new MutationObserver(mark);
  drawnAnew.observe(root, { childList: true, subtree: true });

  /** @param {KeyboardEvent} event */
  function walk(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!lesson || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (target.matches("input, textarea, select, [contenteditable]")) return;
    const by = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    go(current() + by);
  }
  root.addEventListener("keydown", walk);
  open();
  return {
    update: (changed) => {
      if (changed.has("lesson")) open();
      else if (["step", "lang", "letters", "network"].some((key) => changed.has(key))) draw();
    },
    dispose: () => { drawnAnew.disconnect(); root.removeEventListener("keydown", walk); panel.remove(); },
  };
}
