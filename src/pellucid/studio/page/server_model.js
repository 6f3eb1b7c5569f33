// The model object of the page that a server sends: questions by POST, events as they are sent.

import { pack, unpack } from "./envelope.js";

/** An answer that is an error; `kind` is "forgotten", "cancelled", "refused", "internal" or "lost". */
export class AskError extends Error {
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
 * Returns the data of an event: JSON, or an envelope in base64 if there are arrays in it.
 * @param {string} text
 */
const told = (text) =>
  text.startsWith("{") ? JSON.parse(text) : unpack(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

/** @returns {import("./types.js").Model} */
export function serverModel() {
  /** @type {EventSource | null} */
  let events = null;
  let jobs = 0;
  const page = Math.random().toString(36).slice(2);
  /** @type {Set<(data: {lost: boolean}) => void>} Those who want to know whether the server is there. */
  const watching = new Set();
  let lost = false;
  const found = (/** @type {boolean} */ now) => {
    if (now !== lost) for (const each of watching) each({ lost: now });
    lost = now;
  };

  /** @type {Set<{event: string, heard: (e: any) => void}>} */
  const listening = new Set();

  const connect = () => {
    const source = events = new EventSource("events");
    source.addEventListener("error", () => found(true));
    source.addEventListener("open", () => found(false));
    for (const { event, heard } of listening) source.addEventListener(event, heard);
    // The server tells few pages of a browser at once: this one waits until it is looked at again.
    source.addEventListener("elsewhere", () => {
      source.close();
      addEventListener("focus", connect, { once: true });
    });
  };

  /** @type {import("./types.js").Model["on"]} */
  const on = (event, handler) => {
    if (!events) connect();
    if (event === "connection") {
      watching.add(handler);
      return () => watching.delete(handler);
    }
    const one = { event, heard: (/** @type {any} */ e) => handler(told(e.data)) };
    listening.add(one);
    events?.addEventListener(event, one.heard);
    return () => {
      listening.delete(one);
      events?.removeEventListener(event, one.heard);
    };
  };

  /** @type {import("./types.js").Model["ask"]} */
  const ask = async (name, args = {}, { signal, progress } = {}) => {
    const job = progress ? `${page}-${++jobs}` : undefined;
    const off = progress && on("progress", (data) => data.job === job && progress(data.done, data.of));
    try {
      const body = pack(job ? { ...args, page, job } : { ...args, page });
      const reply = await fetch(`ask/${name}`, { method: "POST", body, signal }).catch((error) => {
        if (error.name === "AbortError") throw error;
        found(true);
        throw new AskError(error.message, "lost");
      });
      found(false);
      if (reply.ok) return unpack(await reply.arrayBuffer());
      const said = await reply.json().catch(() => ({}));
      throw new AskError(said.error ?? reply.statusText, said.kind ?? "internal");
    } finally {
      off?.();
    }
  };
  return { ask, on };
}
