// Trades the key in the address, which stands after "#" and is sent nowhere by itself, for a cookie.

const key = location.hash.slice(1);
history.replaceState(null, "", location.pathname); // the key is not kept in the history

const reply = await fetch("/trade", { method: "POST", body: key });
if (reply.ok) {
  location.replace((await reply.json()).to);
} else {
  /** @type {HTMLElement} */ (document.getElementById("refused")).hidden = false;
}

export {}; // a module: it waits at its top
