// The numbers of the weights, from the text in the page.
"use strict";

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const step = 1 << 20, bytes = new Uint8Array((base64.length / 4) * 3); // the padding stays unused
  let at = 0;
  for (let k = 0; k < base64.length; k += step) {
    const text = atob(base64.slice(k, k + step));
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
  }
  return bytes;
}

// float16 as float32: sign, five bits of exponent, ten of fraction.
function halves(bits) {
  return Float32Array.from(bits, (b) => {
    const e = (b >> 10) & 31, f = b & 1023, s = b & 32768 ? -1 : 1;
    return s * (e === 31 ? (f ? NaN : Infinity) : e ? 2 ** (e - 15) * (1 + f / 1024) : 2 ** -14 * (f / 1024));
  });
}

const NUMBERS = {
  f4: (buffer, at, n) => new Float32Array(buffer, at, n),
  f2: (buffer, at, n) => halves(new Uint16Array(buffer, at, n)),
  i1: (buffer, at, n) => Float32Array.from(new Int8Array(buffer, at, n)),
};

// The arrays by their keys: `index` says at which byte each begins, its shape, and its type.
function arraysOf(index, base64) {
  const { buffer } = bytesOf(base64), arrays = {};
  for (const [key, [at, s, type]] of Object.entries(index)) arrays[key] = { s, d: NUMBERS[type](buffer, at, product(s)) };
  return arrays;
}
