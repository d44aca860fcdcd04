// The Viterbi trellis of a sentence at work, and the sentence itself as the dictionary.

const TAGS = "sbme";
const [S, B, M, E] = [0, 1, 2, 3];
const COMES_FROM = [[S, E], [S, E], [B, M], [B, M]]; // lower tags first: of equal scores they win
const ALWAYS = 1e4, LARGEST = 5e4, FLOOR = -1e5; // of log-scores, as in Python
const DONE = 1e6; // a step beyond the last of any sentence

// ---- what Python computes too: a test compares the two ----

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
 * Viterbi over a sentence. `cuts` are places where a word surely begins, unless a word of the dictionary lies across;
 * `fixed` spans such as numbers are words, unless the dictionary says otherwise.
 * Gives the running scores and predecessors, T × 4, and the tags of the best path.
 */
function decode(characters, { logs, fixed = [] }, cuts, lexicon) {
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

  const running = [], from = [];
  for (let t = 0; t < characters.length; t++) {
    const begins = sure.has(t), ends = sure.has(t + 1);
    running.push([-Infinity, -Infinity, -Infinity, -Infinity]);
    from.push([-1, -1, -1, -1]);
    for (let tag = 0; tag < 4; tag++) {
      if ((begins && (tag === M || tag === E)) || (ends && (tag === B || tag === M))) continue;
      let best = t ? -Infinity : 0;
      for (const before of t ? COMES_FROM[tag] : []) {
        if (running[t - 1][before] > best) [best, from[t][tag]] = [running[t - 1][before], before];
      }
      running[t][tag] = best + emissions[t][tag];
    }
  }
  const tags = [];
  const last = running.at(-1) ?? [];
  for (let t = characters.length - 1, tag = last[E] > last[S] ? E : S; t >= 0; tag = from[t][tag], t--) tags[t] = tag;
  return { tags, running, from, bonuses, found: words, total: Math.max(last[S], last[E]) };
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

// ---- the picture ----

const LEFT = 70, TOP = 178; // pixels; what is cut off above a sentence that has no faders
let WIDTH = 46; // of a column: more for a short sentence, so that its lines are long
const EDGE = 7.4, MOST = 7, STEP = 0.1; // powers of ten: "always", the largest multiplier, what a key adds
const Y = { top: 20, bottom: 210, bracket: 222, sentence: 254, words: 264, gloss: 324, trellis: 350, row: 36, height: 482, cuts: 16, line: 50 };
const level = scale(EDGE, -EDGE, Y.top, Y.bottom);
const x = (t) => LEFT + WIDTH * t;
const centre = (t) => x(t) + WIDTH / 2;
const y = (tag) => Y.trellis + Y.row * tag;

const power = (multiplier) =>
  multiplier === "always" ? EDGE : multiplier === "never" ? -EDGE : Math.log10(multiplier);
const multiplierAt = (p) => {
  if (Math.abs(p) > (EDGE + MOST) / 2) return p > 0 ? "always" : "never";
  return Number((10 ** Math.min(Math.max(p, -MOST), MOST)).toPrecision(3));
};
/** Where a key leads to: beyond the largest multiplier is "always", and back from there the largest. */
function moved(p, by) {
  const to = Math.abs(p) > MOST ? Math.sign(p) * (MOST + STEP) + by : p + by;
  return Math.abs(to) > MOST + STEP / 2 ? Math.sign(to) * EDGE : to;
}

/** A sum of logs, to the hundredth. */
const sum = (s) => (Math.abs(s) < ALWAYS / 2 ? (s.toFixed(2) === "-0.00" ? "0.00" : s.toFixed(2)) : s < 0 ? "-∞" : "∞").replace("-", "−");

function inWords(multiplier, words) {
  if (multiplier === "always" || multiplier === "never") return words[multiplier];
  const [sign, factor] = multiplier < 1 ? ["÷", 1 / multiplier] : ["×", multiplier];
  if (factor >= 1e6) return `${sign}${digits(factor / 1e6)} M`;
  return `${sign}${Number(factor.toPrecision(factor < 1000 ? 3 : 2)).toLocaleString("en")}`;
}

function render({ model, el }) {
  const words = model.get("words");
  const tagNames = words.tags;
  let characters, reading, lexicon, found, path, steps, column, hovered = null, selection = null, held = null, focus = null, pulled = null, top = 0;

  const svg = element("svg", { class: "kx-seg" }), cuts = element("svg", { class: "kx-seg" });
  const [band, faders, sentence, main, trellis, labels] = ["kx-band", "kx-faders", "kx-sentence", "kx-cut", "kx-trellis", "kx-labels"]
    .map((name) => svg.appendChild(element("g", { class: name })));
  const scroll = element("div", { class: "kx-scroll" }, svg), below = element("div", { class: "kx-scroll" }, cuts);
  // What is wider than the page scrolls together.
  scroll.addEventListener("scroll", () => {
    below.scrollLeft = scroll.scrollLeft;
    labels.setAttribute("transform", `translate(${scroll.scrollLeft} 0)`); // they stay in sight
  });
  below.addEventListener("scroll", () => { scroll.scrollLeft = below.scrollLeft; });
  const caption = element("div", { class: "kx-caption", role: "status" });
  const detail = element("table", { class: "kx-detail" });
  const play = player((step) => { model.set("step", step); model.save_changes(); }, words.player);
  el.classList.add("kx");
  el.append(scroll, play.element, caption, detail, below);

  const now = () => Math.min(model.get("step"), steps);
  const at = () => model.get("sentences")[model.get("index")];
  const own = () => Object.keys(at().readings)[model.get("network")];

  /** Whether the word whose fader was moved last is a word of the cut. */
  const pulledWhole = () => found.some(([start, end, word]) => word === pulled && isWord(path.tags, start, end));

  function setLexicon(changes) {
    [pulled] = Object.keys(changes);
    play.stop();
    model.set("step", DONE); // who pulls wants to see what comes of it
    const changed = { ...model.get("lexicon"), ...changes };
    for (const word of Object.keys(changed)) if (changed[word] === null) delete changed[word];
    model.set("lexicon", changed);
    model.save_changes();
  }

  // -- compute --
  let nodes, edges, unaided, unaidedKey, shownKey; // what stays between moves
  function compute() {
    const key = `${model.get("index")} ${model.get("network")} ${at().text}`;
    if (key !== unaidedKey) {
      characters = Array.from(at().text);
      reading = at().readings[own()];
      WIDTH = Math.max(46, Math.min(84, Math.floor(600 / characters.length)));
      unaided = otherRows();
      unaidedKey = key;
      shownKey = null;
      buildTrellis();
    }
    lexicon = model.get("lexicon");
    path = decode(characters, reading, at().cuts, lexicon);
    found = path.found;
    steps = 2 * characters.length;
    const width = Math.max(x(characters.length) + 60, LEFT + 7 * (at().gloss ?? "").length, 600);
    for (const part of [svg, cuts]) part.setAttribute("width", width);
    top = found.length ? 0 : TOP;
    svg.setAttribute("height", characters.length ? Y.height - top : 0);
    svg.setAttribute("viewBox", `0 ${top} ${width} ${Y.height - top}`);
    cuts.setAttribute("height", characters.length ? Y.cuts + Y.line * unaided.length : 40);
    column = Math.min(found[0]?.[0] ?? 0, characters.length - 1);
  }

  /** Cuts that no dictionary changes: of this network, the other networks, and other methods. */
  function otherRows() {
    const readings = Object.entries(at().readings).map(([name, one]) => {
      return [name === own() ? words.alone : name, spans(decode(characters, one, at().cuts, {}).tags)];
    });
    const others = Object.entries(at().others).map(([name, lengths]) => {
      let end = 0;
      return [name, lengths.map((length) => [end, (end += length)])];
    });
    return [...readings.sort(([a], [b]) => (b === words.alone) - (a === words.alone)), ...others];
  }

  // -- draw --
  function drawBand() {
    const at = hovered ?? focus;
    const parts = [];
    if (at !== null && at < characters.length) {
      const from = Math.max(0, at - reading.reach), to = Math.min(characters.length, at + reading.reach + 1);
      parts.push(
        element("rect", { class: "kx-field", x: x(from), y: Y.sentence - 26, width: WIDTH * (to - from), height: 36, rx: 6 }),
        element("rect", { class: "kx-here", x: x(at), y: Y.sentence - 26, width: WIDTH, height: y(3) + 20 - Y.sentence + 26, rx: 6 }),
      );
    }
    if (selection) {
      const [from, to] = [Math.min(...selection), Math.max(...selection) + 1];
      parts.push(element("rect", { class: "kx-selection", x: x(from), y: Y.sentence - 26, width: WIDTH * (to - from), height: 36, rx: 6 }));
    }
    redraw(band, ...parts);
  }

  const scaleMarks = () =>
    [[EDGE, words.always], [6, "×1 M"], [3, "×1,000"], [0, "×1"], [-3, "÷1,000"], [-6, "÷1 M"], [-EDGE, words.never]];

  function drawFaders() {
    const parts = [];
    const axis = scaleMarks();
    for (const [p] of axis) {
      parts.push(element("line", { class: p ? "kx-tick" : "kx-tick kx-one", x1: LEFT, x2: x(characters.length), y1: level(p), y2: level(p) }));
    }
    const first = new Map();
    for (const [start, end, word] of found) if (!first.has(word)) first.set(word, [start, end]);
    const taken = [];
    for (const [word, [start, end]] of first) {
      const whole = isWord(path.tags, start, end);
      let middle = (x(start) + x(end)) / 2;
      while (taken.some((other) => Math.abs(other - middle) < 90)) middle += 92;
      taken.push(middle);
      const p = power(lexicon[word]);
      const snap = flip(characters, reading, at().cuts, lexicon, word, [start, end]);
      const value = inWords(lexicon[word], words);
      for (const [a, b] of found.filter(([, , other]) => other === word)) {
        parts.push(element("path", {
          class: whole ? "kx-bracket" : "kx-bracket kx-open",
          d: `M${x(a) + 3} ${Y.bracket + 6}v-6H${x(b) - 3}v6`,
        }));
      }
      parts.push(element("line", { class: "kx-track", x1: middle, x2: middle, y1: level(EDGE), y2: Y.bracket }));
      if (Number.isFinite(snap)) {
        const text = phrase(words.snaps, { multiplier: inWords(10 ** Math.min(snap, 15), words) });
        const beyond = Math.abs(snap) > EDGE;
        parts.push(element("g", { class: "kx-snap" },
          element("title", {}, text),
          element("path", { d: `M${middle - 25} ${level(snap) - 5}l10 5l-10 5z` }),
          element("line", { x1: middle - 18, x2: middle + 18, y1: level(snap), y2: level(snap) }),
          Math.abs(level(p) - level(snap)) > 13 && element("text", { x: middle - 28, y: level(snap) + 4, "text-anchor": "end" },
            inWords(Number((10 ** snap).toPrecision(2)), words) + (beyond ? " ↑" : "")),
        ));
      }
      parts.push(
        element("g", {
          class: "kx-handle", role: "slider", tabindex: 0, "data-key": `word ${word}`, "data-word": word,
          "aria-label": phrase(words.multiplier, { word }), "aria-orientation": "vertical",
          "aria-valuemin": -EDGE, "aria-valuemax": EDGE, "aria-valuenow": p.toFixed(2), "aria-valuetext": value,
        },
        element("title", {}, phrase(words.handle, { word })),
        element("rect", { x: middle - 13, y: level(p) - 8, width: 26, height: 16, rx: 5 }),
        element("path", { d: `M${middle - 7} ${level(p) - 2}h14m-14 4h14` })),
        element("text", { class: "kx-value", x: middle + 21, y: level(p) + 5 }, value),
        element("g", { class: "kx-remove", role: "button", tabindex: 0, "data-key": `remove ${word}`, "data-remove": word,
          "aria-label": phrase(words.remove, { word }) },
        element("title", {}, phrase(words.remove, { word })),
        element("rect", { x: middle - 8, y: 0, width: 16, height: 14, fill: "transparent" }),
        element("path", { d: `M${middle - 4} 3l8 8m0-8l-8 8` })),
      );
    }
    if (!first.size && characters.length) {
      parts.push(element("text", { class: "kx-invite", x: LEFT + 4, y: Y.bottom }, words.drag));
    }
    redraw(faders, ...parts);
  }

  function drawSentence() {
    const parts = characters.map((character, t) => element("text", {
      class: "kx-character", lang: "zh", x: centre(t), y: Y.sentence, "text-anchor": "middle", tabindex: t === (focus ?? 0) ? 0 : -1,
      "data-key": `character ${t}`, "data-place": t, role: "button", "aria-label": phrase(words.character, { character, n: t + 1 }),
    }, character === " " ? "␣" : character));
    parts.push(element("text", { class: "kx-quiet", x: LEFT, y: Y.gloss }, at().gloss ?? ""));
    redraw(sentence, ...parts);
  }

  /** Make the nodes of the trellis; moves only change how they look. */
  function buildTrellis() {
    edges = Object.fromEntries(["winners", "losers", "newest", "route"].map((name) => [name, element("path", { class: `kx-edge kx-${name}` })]));
    nodes = characters.map((character, t) => [...TAGS].map((letter, tag) => {
      const box = { x: centre(t) - 19, y: y(tag) - 12, width: 38, height: 24, rx: 6 };
      const p = Math.exp(reading.logs[t][tag]);
      const text = element("text", { x: centre(t), y: y(tag) + 4, "text-anchor": "middle" });
      const node = element("g", {},
        element("title", {}, phrase(words.node, { character, tag: tagNames[tag], p: digits(p) })),
        element("rect", { class: "kx-back", ...box }),
        element("rect", { ...box, "fill-opacity": (0.75 * p).toFixed(3) }), text);
      return { node, text };
    }));
    const names = [...TAGS].map((letter, tag) => element("text", { class: "kx-tag", x: LEFT - 8, y: y(tag) + 5, "text-anchor": "end" },
      element("tspan", { class: "kx-letter" }, letter), ` ${tagNames[tag]}`));
    const marks = scaleMarks().map(([p, label]) =>
      element("text", { class: "kx-quiet", x: LEFT - 8, y: level(p) + 4, "text-anchor": "end" }, label));
    const ground = element("rect", { class: "kx-ground", width: LEFT - 3, height: Y.height });
    redraw(labels, ...(characters.length ? [ground, ...marks, ...names] : []));
    redraw(trellis, ...Object.values(edges), ...nodes.flat().map(({ node }) => node));
  }

  function drawTrellis() {
    const step = now(), T = characters.length;
    const reached = Math.min(step, T); // columns computed so far
    const traced = Math.max(0, step - T); // nodes of the path known so far, from the end
    const possible = (t, tag) => Number.isFinite(path.running[t][tag]);
    const lines = { winners: "", losers: "", newest: "", route: "" };
    for (let t = 1; t < reached; t++) {
      for (let tag = 0; tag < 4; tag++) {
        for (const before of possible(t, tag) ? COMES_FROM[tag] : []) {
          if (!possible(t - 1, before)) continue;
          const kind = path.from[t][tag] === before ? (t === step - 1 ? "newest" : "winners") : t === step - 1 ? "losers" : null;
          if (kind) lines[kind] += `M${centre(t - 1) + 17} ${y(before)}L${centre(t) - 17} ${y(tag)}`;
        }
      }
    }
    for (let t = T - traced; t < T; t++) lines.route += `${lines.route ? "L" : "M"}${centre(t)} ${y(path.tags[t])}`;
    for (const [kind, d] of Object.entries(lines)) edges[kind].setAttribute("d", d);
    nodes.forEach((column, t) => column.forEach(({ node, text }, tag) => {
      const chosen = t >= T - traced && path.tags[t] === tag;
      const state = !possible(t, tag) ? "kx-never" : chosen ? "kx-chosen" : t === step - 1 ? "kx-current" : "";
      const look = `kx-node ${state} ${path.bonuses[t][tag] ? "kx-bonus" : ""}`;
      const shown = t < reached && possible(t, tag) ? score(path.running[t][tag]) : "";
      if (node.getAttribute("class") !== look) node.setAttribute("class", look);
      if (text.textContent !== shown) text.textContent = shown;
    }));
  }

  const score = (s) => (Math.abs(s) < 10 ? digits(Number(s.toFixed(1))) : Math.abs(s) < ALWAYS / 2 ? digits(Math.round(s)) : sum(s));

  function drawCuts() {
    const traced = now() - characters.length;
    const mine = spans(path.tags);
    const agreed = new Set(mine.map(String));
    const key = String(mine);
    if (key === shownKey?.cut && traced === shownKey.traced) return;
    const draw = (cut, top, isMain) => cut.map(([start, end]) => {
      if (isMain && characters.length - start > traced) return null; // the path has not come back to here
      const word = characters.slice(start, end).join(""), gloss = model.get("glosses")[word];
      const look = isMain ? "kx-word kx-main" : agreed.has(String([start, end])) ? "kx-word" : "kx-word kx-differs";
      return element("g", { class: look },
        element("title", {}, gloss ? `${word}: ${gloss}` : word),
        element("rect", { x: x(start) + 3, y: top, width: WIDTH * (end - start) - 6, height: 25, rx: 8 }),
        ...characters.slice(start, end).map((character, k) =>
          element("text", { lang: "zh", x: centre(start + k), y: top + 18, "text-anchor": "middle" }, character)),
        isMain && gloss && gloss.length * 5.6 < WIDTH * (end - start) &&
          element("text", { class: "kx-gloss", x: (x(start) + x(end)) / 2, y: top + 38, "text-anchor": "middle" }, gloss));
    });
    redraw(main, ...draw(mine, Y.words, true));
    if (key !== shownKey?.cut) {
      const parts = unaided.flatMap(([name, cut], i) => [
        element("text", { class: "kx-quiet", x: LEFT, y: Y.cuts + Y.line * i }, name),
        ...draw(cut, Y.cuts + Y.line * i + 5, false),
      ]);
      redraw(cuts, ...(characters.length ? parts : [element("text", { x: LEFT, y: 24 }, words.empty)]));
    }
    shownKey = { cut: key, traced };
  }

  /** What happens in one column, in numbers: the one pointed at last, or the newest. */
  function drawDetail() {
    const step = now(), T = characters.length, pointed = hovered ?? focus;
    if (pointed !== null) column = pointed;
    else if (step >= 1 && step <= T) column = step - 1;
    const t = column, character = characters[t];
    caption.textContent = phrase(
      !T ? words.empty
        : pointed !== null ? (reading.beyond ? words.beyond : words.sees)
        : step === 0 ? words.begin
        : pulled in lexicon && step === 2 * T ? (pulledWhole() ? words.whole : words.cut)
        : step <= T ? (step === 1 ? words.first : words.column)
        : step < 2 * T ? words.trace
        : words.done,
      {
        character, tag: tagNames[path.tags[T - 1]], score: sum(path.total), n: 2 * reading.reach + 1,
        field: characters.slice(Math.max(0, t - reading.reach), t + reading.reach + 1).join(""),
        word: pulled, multiplier: pulled in lexicon ? inWords(lexicon[pulled], words) : "",
      });
    const lines = [];
    if (T) {
      lines.push(element("tr", {}, element("th", { lang: "zh" }, character), ...words.columns.map((name) => element("th", {}, name))));
    }
    for (let tag = 0; tag < (T ? 4 : 0); tag++) {
      const cells = [element("th", { scope: "row" }, element("b", {}, TAGS[tag]), ` ${tagNames[tag]}`)];
      const bonus = path.bonuses[t][tag];
      const log = (p) => `log ${digits(p, 2)} (${sum(Math.log(p))})`;
      if (!Number.isFinite(path.running[t][tag])) cells.push(element("td", { colspan: 4, class: "kx-quiet" }, words.impossible));
      else if (t >= step) cells.push(element("td", { colspan: 4, class: "kx-quiet" }, words.later));
      else {
        const ways = t ? COMES_FROM[tag].filter((before) => Number.isFinite(path.running[t - 1][before])) : [];
        const way = (before) => element(before === path.from[t][tag] ? "b" : "s", {}, `${TAGS[before]} ${sum(path.running[t - 1][before])}`);
        const mine = found.some(([a, b]) => a <= t && t < b);
        const gained = !mine ? words.rule : Math.abs(bonus) >= ALWAYS / 2 ? words[bonus > 0 ? "always" : "never"] : `log ${digits(Math.exp(bonus))}`;
        cells.push(
          element("td", {}, ...(ways.length ? ways.map(way) : [words.start])),
          element("td", { class: "kx-blue" }, `+ ${log(Math.exp(reading.logs[t][tag]))}`),
          element("td", { class: "kx-green" }, bonus ? `+ ${gained}` : ""),
          element("td", {}, element("b", {}, `= ${sum(path.running[t][tag])}`)),
        );
      }
      lines.push(element("tr", {}, ...cells));
    }
    redraw(detail, ...lines);
  }

  function drawStep() {
    play.update(now(), steps);
    drawTrellis();
    drawCuts();
    drawDetail();
    const place = now() <= characters.length ? now() - 1 : steps - now();
    if (now() > 0 && now() < steps) { // the place of work stays in view
      const left = scroll.scrollLeft, seen = scroll.clientWidth;
      if (x(place) < left + LEFT || x(place + 1) > left + seen) scroll.scrollLeft = x(place) - seen / 2;
    }
  }

  function drawAll() {
    compute();
    drawBand();
    drawFaders();
    drawSentence();
    drawStep();
  }

  // -- pointer, touch and keyboard --
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const t = Math.floor((event.clientX - box.left - LEFT) / WIDTH);
    return { t: t >= 0 && t < characters.length ? t : null, y: event.clientY - box.top + top, clamped: Math.min(Math.max(t, 0), characters.length - 1) };
  };
  const inSentence = (p) => p.t !== null && p.y > Y.sentence - 30 && p.y < Y.sentence + 12;

  svg.addEventListener("pointerdown", (event) => {
    const remove = event.target.closest("[data-remove]");
    if (remove) return setLexicon({ [remove.dataset.remove]: null });
    const handle = event.target.closest("[data-word]");
    const p = place(event);
    if (handle) held = handle.dataset.word;
    else if (inSentence(p)) selection = [p.t, p.t];
    else return;
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    if (handle) handle.focus({ preventScroll: true });
    drawBand();
  });
  svg.addEventListener("pointermove", (event) => {
    const p = place(event);
    if (held !== null) {
      const value = multiplierAt(level.inverse(p.y));
      if (value !== lexicon[held]) setLexicon({ [held]: value });
    } else if (selection) {
      selection[1] = p.clamped;
      drawBand();
    } else {
      const over = p.y > Y.sentence - 30 && p.y < y(3) + 20 ? p.t : null;
      if (over !== hovered) { hovered = over; drawBand(); drawDetail(); }
    }
  });
  const release = () => {
    if (selection) {
      const [from, to] = [Math.min(...selection), Math.max(...selection) + 1];
      selection = null;
      if (to - from > 1) addWord(from, to);
      drawBand();
    }
    held = null;
  };
  svg.addEventListener("pointerup", release);
  svg.addEventListener("pointercancel", release);
  svg.addEventListener("pointerleave", () => { if (hovered !== null) { hovered = null; drawBand(); drawDetail(); } });

  function addWord(from, to) {
    const word = characters.slice(from, to).join("");
    if (!(word in lexicon)) setLexicon({ [word]: 1 });
    faders.querySelector(`[data-key="${CSS.escape(`word ${word}`)}"]`)?.focus({ preventScroll: true });
  }

  svg.addEventListener("keydown", (event) => {
    const word = event.target.dataset?.word, removed = event.target.dataset?.remove, at = event.target.dataset?.place;
    const { key, shiftKey } = event;
    if (word !== undefined) {
      const moves = { ArrowUp: STEP, ArrowRight: STEP, ArrowDown: -STEP, ArrowLeft: -STEP, PageUp: 1, PageDown: -1 };
      const p = power(lexicon[word]);
      if (key in moves) setLexicon({ [word]: multiplierAt(moved(p, moves[key])) });
      else if (key === "Home") setLexicon({ [word]: "never" });
      else if (key === "End") setLexicon({ [word]: "always" });
      else if (key === "Delete" || key === "Backspace") setLexicon({ [word]: null });
      else return;
    } else if (removed !== undefined && (key === "Enter" || key === " ")) setLexicon({ [removed]: null });
    else if (at !== undefined && (key === "ArrowRight" || key === "ArrowLeft")) {
      const to = Math.min(Math.max(Number(at) + (key === "ArrowRight" ? 1 : -1), 0), characters.length - 1);
      selection = shiftKey ? [selection?.[0] ?? Number(at), to] : null;
      focus = to;
      drawBand();
      drawSentence();
      sentence.querySelector(`[data-place="${to}"]`).focus();
      drawDetail();
    } else if (at !== undefined && key === "Enter" && selection) release();
    else return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has plans for these keys
  });
  svg.addEventListener("focusin", (event) => {
    const at = event.target.dataset?.place;
    focus = at === undefined ? null : Number(at);
    drawBand();
  });
  svg.addEventListener("focusout", (event) => {
    if (!svg.contains(event.relatedTarget)) { focus = null; drawBand(); drawDetail(); }
  });

  const endings = [
    follow(model, ["sentences", "index", "network", "lexicon"], () => {
      hovered = null;
      drawAll();
    }),
    follow(model, ["step"], drawStep),
  ];
  drawAll();
  const watcher = new IntersectionObserver((entries) => { // it begins when it can be seen
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    model.set("step", 0);
    play.play();
  }, { threshold: 0.6 });
  if (model.get("playing") && motion()) watcher.observe(svg);
  return () => { watcher.disconnect(); play.stop(); for (const end of endings) end(); };
}

export { decode, flip };
export default { render };
