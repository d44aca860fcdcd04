// Cut a sentence into words: what Python computes too. A test compares the two.

const [S, B, M, E] = [0, 1, 2, 3];
const COMES_FROM = [[S, E], [S, E], [B, M], [B, M]]; // lower tags first: of equal scores they win
const ALWAYS = 1e4, LARGEST = 5e4, FLOOR = -1e5; // of log-scores, as in Python

/** Every occurrence of every word, overlapping ones too: [start, end, word, multiplier]. */
function occurrences(characters, lexicon) {
  const found = [];
  for (const [word, multiplier] of Object.entries(lexicon)) {
    const parts = Array.from(word);
    for (let i = 0; i + parts.length <= characters.length; i++) {
      if (parts.every((part, k) => characters[i + k] === part)) found.push([i, i + parts.length, word, multiplier]);
    }
  }
  return found;
}

/** What a multiplier adds to the log-scores of the tags that keep a word whole. */
function gain(multiplier) {
  if (multiplier === "always") return ALWAYS;
  return multiplier === "never" ? -ALWAYS : Math.log(multiplier);
}

const logAddExp = (a, b) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));

/** What words add to the log-scores of the tags that keep them whole, T × 4. */
function bonusesOf(logs, found) {
  const bonuses = logs.map(() => [0, 0, 0, 0]);
  const cut = (k) => logAddExp(logs[k][S], logs[k][B]) - logAddExp(logs[k][M], logs[k][E]);
  for (const [start, end, , multiplier] of found) {
    const g = gain(multiplier);
    if (end - start === 1) bonuses[start][S] += g;
    else if (g === -ALWAYS) {
      // Never whole: a cut where the network finds one most probable inside the word.
      let best = start + 1;
      for (let k = start + 2; k < end; k++) if (cut(k) > cut(best)) best = k;
      bonuses[best][S] += ALWAYS;
      bonuses[best][B] += ALWAYS;
    } else {
      bonuses[start][B] += g;
      bonuses[end - 1][E] += g;
      for (let k = start + 1; k < end - 1; k++) bonuses[k][M] += g;
    }
  }
  return bonuses.map((row) => row.map((b) => Math.fround(Math.min(Math.max(b, -LARGEST), LARGEST))));
}

/**
 * What Viterbi is asked: log-scores of the tags, T × 4, and where words surely begin.
 *
 * `cuts` are places where a word surely begins, unless a word of the dictionary lies across; `fixed` spans such as
 * numbers are words, unless the dictionary says otherwise.
 */
function prepare(characters, { logs, fixed = [] }, cuts, lexicon) {
  const attached = (t) => t < logs.length && logs[t][S] <= -ALWAYS; // an accent, or the like, of the one before
  const apart = ([a, b]) => !attached(a) && !attached(b);
  const words = occurrences(characters, lexicon).filter(apart);
  const wanted = ([a, b]) => !words.some(([c, d, , m]) => (c < a && a < d) || (c < b && b < d)
    || (c < b && a < d && Math.abs(gain(m)) === ALWAYS) || (c < b && a < d && gain(m) < 0));
  const found = [...words, ...fixed.filter(apart).filter(wanted).map(([a, b]) => [a, b, null, "always"])];
  const bonuses = bonusesOf(logs, found);

  // The network does not look across a sure cut: where a word goes on there, what it says favours neither.
  const glued = found.filter(([, , , m]) => gain(m) > 0);
  const crossed = cuts.filter((c) => glued.some(([a, b]) => a < c && c < b));
  const sure = new Set([0, characters.length, ...cuts].filter((c) => !crossed.includes(c)));
  const emissions = logs.map((row) => [...row]);
  for (const [shift, ...pairs] of [[1, [S, B], [M, E]], [0, [S, E], [B, M]]]) {
    for (const c of crossed) {
      for (const [one, other] of pairs) {
        const row = emissions[c - shift];
        row[one] = row[other] = Math.fround(Math.fround(logAddExp(row[one], row[other])) - Math.LN2);
      }
    }
  }
  emissions.forEach((row, t) => row.forEach((x, j) => { row[j] = Math.max(Math.fround(x + bonuses[t][j]), FLOOR); }));
  return { emissions, sure, bonuses, found: words };
}

/** Viterbi: running scores and predecessors, T × 4, the tags of the best path, and its score. */
function viterbi({ emissions, sure }, allowed = () => true) {
  const running = [], from = [], T = emissions.length;
  for (let t = 0; t < T; t++) {
    const begins = sure.has(t), ends = sure.has(t + 1);
    running.push([-Infinity, -Infinity, -Infinity, -Infinity]);
    from.push([-1, -1, -1, -1]);
    for (let tag = 0; tag < 4; tag++) {
      if ((begins && (tag === M || tag === E)) || (ends && (tag === B || tag === M)) || !allowed(t, tag)) continue;
      let best = t ? -Infinity : 0;
      for (const before of t ? COMES_FROM[tag] : []) {
        if (running[t - 1][before] > best) [best, from[t][tag]] = [running[t - 1][before], before];
      }
      running[t][tag] = best + emissions[t][tag];
    }
  }
  const tags = [];
  const last = running.at(-1) ?? [];
  for (let t = T - 1, tag = last[E] > last[S] ? E : S; t >= 0; tag = from[t][tag], t--) tags[t] = tag;
  return { tags, running, from, total: Math.max(last[S], last[E]) };
}

/** Cut a sentence; see `prepare` and `viterbi`. */
function decode(characters, reading, cuts, lexicon) {
  const asked = prepare(characters, reading, cuts, lexicon);
  return { ...asked, ...viterbi(asked) };
}

/** The best path in which characters start to end - 1 are a word, and the best in which they are none. */
function duel(asked, start, end) {
  const tagAt = (t) => (end - start === 1 ? S : t === start ? B : t === end - 1 ? E : M);
  const whole = viterbi(asked, (t, tag) => t < start || t >= end || tag === tagAt(t));
  let rival = { total: -Infinity };
  for (let k = start; k < end; k++) { // a word fails at one of its characters at least
    const broken = viterbi(asked, (t, tag) => t !== k || tag !== tagAt(k));
    if (broken.total > rival.total) rival = broken;
  }
  return { whole, rival };
}

const scoreOf = ({ emissions }, { tags, total }) => (total > -Infinity ? emissions.reduce((all, row, t) => all + row[tags[t]], 0) : total);

/**
 * The same for scales. Large bonuses bring forward cuts that share tags with the word. Where the word wins all the same,
 * the rival is the best cut without it as it was before the word was `asked` for.
 */
function weigh(asked, before, start, end) {
  const { whole, rival } = duel(asked, start, end), steady = duel(before, start, end).rival;
  steady.total = scoreOf(asked, steady);
  return { whole, rival: whole.total > rival.total ? steady : rival };
}

/** Spans [start, end) of the words that tags make. */
function spans(tags) {
  const starts = [...tags.keys()].filter((t) => tags[t] === S || tags[t] === B);
  return starts.map((start, i) => [start, starts[i + 1] ?? tags.length]);
}

const isWord = (tags, start, end) => spans(tags).some(([a, b]) => a === start && b === end);

/** The multiplier, as a power of ten, above which a word comes out whole; infinite if none does it. */
function flip(characters, reading, cuts, lexicon, word, [start, end]) {
  const whole = (power) => isWord(decode(characters, reading, cuts, { ...lexicon, [word]: 10 ** power }).tags, start, end);
  let low = -16, high = 16;
  if (whole(low)) return -Infinity;
  if (!whole(high)) return Infinity;
  while (high - low > 1e-3) {
    const middle = (low + high) / 2;
    if (whole(middle)) high = middle; else low = middle;
  }
  return high;
}

export { decode, duel, flip, prepare, weigh };
