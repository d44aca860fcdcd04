// Codes as lists of their units, and the nearest of many codes: what Hashes.nearest and BioWord.nearest do in Python.

const NONE = 65535; // in place of a unit, where a code has fewer than there is room for

/** Codes out of bytes: a row of numbers of units for each, the most excited unit first. */
function ranked({ buffer, byteOffset, byteLength }, rows) {
  const units = new Uint16Array(buffer.slice(byteOffset, byteOffset + byteLength));
  return { units, width: units.length / rows, rows };
}

/** The same out of packed bits, one for each of n units. */
function unpacked(bits, rows, n) {
  const units = new Uint16Array(rows * n).fill(NONE), bytes = bits.byteLength / rows;
  for (let row = 0; row < rows; row++) {
    for (let unit = 0, free = row * n; unit < n; unit++) {
      if (bits.getUint8(row * bytes + (unit >> 3)) & (128 >> (unit & 7))) units[free++] = unit;
    }
  }
  return { units, width: n, rows };
}

/** The first k units of a code. */
const codeOf = ({ units, width }, row, k) =>
  [...units.subarray(row * width, row * width + Math.min(k, width))].filter((unit) => unit !== NONE);

/** Bits in which codes of `size` and `own` ones differ, `shared` of them common, so that the largest is the nearest. */
const hamming = (shared, size, own) => 2 * shared - size - own;
const cosine = (shared, size, own) => shared / Math.sqrt(size * own);

/**
 * The rows whose first k units are nearest to a code, of equals the first, and how many `tie` with the last of them.
 *
 * `left(row)` leaves a row out. Each of `found` has its row, what `measure` says of it, and how many units it shares.
 */
function nearest({ units, width, rows }, code, k, measure, left, count = 10) {
  const on = new Uint8Array(NONE + 1), found = [], scores = new Float64Array(rows).fill(-Infinity);
  for (const unit of code) on[unit] = 1;
  for (let row = 0; row < rows; row++) {
    if (left(row)) continue;
    let shared = 0, size = 0;
    for (let i = row * width; size < Math.min(k, width) && units[i] !== NONE; i++, size++) shared += on[units[i]];
    const score = (scores[row] = measure(shared, size, code.length));
    if (found.length === count && score <= found[count - 1].score) continue;
    let place = found.length;
    while (place && found[place - 1].score < score) place--;
    found.splice(place, 0, { row, score, shared });
    found.length = Math.min(found.length, count);
  }
  const ties = scores.reduce((sum, score) => sum + (score === found.at(-1)?.score), 0);
  return { found, ties };
}

export { codeOf, cosine, hamming, nearest, ranked, unpacked };
