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

  /** @type {import("./types.js").Model["on"]} */
  const on = (event, handler) => {
    if (!events) {
      events = new EventSource("events");
      events.addEventListener("error", () => found(true));
      events.addEventListener("open", () => found(false));
    }
    if (event === "connection") {
      watching.add(handler);
      return () => watching.delete(handler);
    }
    const listening = events, heard = (/** @type {any} */ e) => handler(JSON.parse(e.data));
    listening.addEventListener(event, heard);
    return () => listening.removeEventListener(event, heard);
  };

  /** @type {import("./types.js").Model["ask"]} */
  const ask = async (name, args = {}, { signal, progress } = {}) => {
    const job = progress ? `${page}-${++jobs}` : undefined;
    const off = progress && on("progress", (data) => data.job === job && progress(data.done, data.of));
    try {
      const body = pack(job ? { ...args, job } : args);
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
