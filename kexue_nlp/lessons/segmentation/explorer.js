// The Viterbi trellis of a sentence at work, and the sentence itself as the dictionary.

const TAGS = "sbme";
const DONE = 1e6; // a step beyond the last of any sentence

const LEFT = 70, TOP = 200; // pixels; what is cut off above a sentence that has no faders
let WIDTH = 46; // of a column: more for a short sentence, so that its lines are long
const EDGE = 7.4, MOST = 7, STEP = 0.1; // powers of ten: "always", the largest multiplier, what a key adds
const Y = { name: 13, top: 30, bottom: 180, bracket: 202, sentence: 234, words: 244, gloss: 304, trellis: 330, row: 36, height: 462, cuts: 16, line: 50 };
const SPREAD = 120; // between two faders
// The height of a power of ten: wide where most multipliers are.
const MIDDLE = (Y.top + Y.bottom) / 2, BEND = 0.5;
const level = (p) => MIDDLE - Math.sign(p) * (Math.min(Math.abs(p) / EDGE, 1) ** BEND) * (Y.bottom - MIDDLE);
level.inverse = (height) => Math.sign(MIDDLE - height) * EDGE * Math.min(Math.abs(height - MIDDLE) / (Y.bottom - MIDDLE), 1) ** (1 / BEND);
const x = (t) => LEFT + WIDTH * t;
const centre = (t) => x(t) + WIDTH / 2;
const NODE = () => Math.min(38, WIDTH - 10); // width of a node
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

/** A sum of logs, to the hundredth; what "always" and "never" add to it stays apart. */
function sum(s) {
  const endless = Math.round(s / ALWAYS), rest = (s - endless * ALWAYS).toFixed(2).replace(/^-0\.00$/, "0.00");
  if (!Number.isFinite(s) || !endless) return (Number.isFinite(s) ? rest : s < 0 ? "-∞" : "∞").replace("-", "−");
  const many = `${endless < 0 ? "−" : ""}${Math.abs(endless) > 1 ? Math.abs(endless) : ""}∞`;
  return `${many} ${rest < 0 ? "−" : "+"} ${Math.abs(rest).toFixed(2)}`;
}

const formats = {}, grouped = new Intl.NumberFormat("en"); // costly to make

/** A number in few digits and a word, such as 20 million; very large ones as a power of ten. */
function compact(number, { locale }) {
  if (number >= 1e15) return `10${String(Math.round(Math.log10(number))).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])}`;
  formats[locale] ??= new Intl.NumberFormat(locale, { notation: "compact", compactDisplay: "long", maximumSignificantDigits: 2 });
  return formats[locale].format(number);
}

function inWords(multiplier, words) {
  if (multiplier === "always" || multiplier === "never") return words[multiplier];
  const [sign, factor] = multiplier < 1 ? ["÷", 1 / multiplier] : ["×", multiplier];
  if (factor >= 1e6) return sign + compact(factor, words);
  return `${sign}${grouped.format(Number(factor.toPrecision(factor < 1000 ? 3 : 2)))}`;
}

function render({ model, el }) {
  const words = model.get("words");
  const tagNames = words.tags;
  let characters, reading, lexicon, found, path, steps, column, hovered = null, selection = null, held = null, grip = 0, focus = null, pulled = null, top = 0;

  const svg = element("svg", { class: "kx-seg" }), others = element("g"), names = element("g");
  const cuts = element("svg", { class: "kx-seg" }, others, names);
  const [band, faders, sentence, main, trellis, labels] = ["kx-band", "kx-faders", "kx-sentence", "kx-cut", "kx-trellis", "kx-labels"]
    .map((name) => svg.appendChild(element("g", { class: name })));
  const scroll = element("div", { class: "kx-scroll" }, svg), below = element("div", { class: "kx-scroll" }, cuts);
  // What is wider than the page scrolls together.
  scroll.addEventListener("scroll", () => {
    below.scrollLeft = scroll.scrollLeft;
    for (const part of [labels, names]) part.setAttribute("transform", `translate(${scroll.scrollLeft} 0)`); // they stay in sight
  });
  below.addEventListener("scroll", () => { scroll.scrollLeft = below.scrollLeft; });
  const caption = element("div", { class: "kx-caption", role: "status" });
  const at10 = scale(-14, 14, 66, 354); // powers of ten
  const ruler = element("g", {},
    ...[-12, -9, -6, -3, 0, 3, 6, 9, 12].map((k) => element("line", { class: k ? "kx-tick" : "kx-tick kx-one", x1: at10(k), x2: at10(k), y1: k ? 19 : 10, y2: k ? 31 : 40 })),
    ...[-9, -3, 3, 9].map((k) => element("text", { class: "kx-quiet", x: at10(k), y: 46, "text-anchor": "middle" }, inWords(10 ** Math.abs(k), words))),
    element("line", { class: "kx-tick kx-one", x1: 66, x2: 354, y1: 25, y2: 25 }));
  const weights = element("g"), told = element("div", { class: "kx-told" });
  const [left, right] = ["", ""].map(() => element("span", { class: "kx-side", lang: "zh" }));
  const beam = element("svg", { viewBox: "0 0 420 50", role: "img" }, ruler, weights);
  const scales = element("div", { class: "kx-duel" }, left, beam, right, told);
  const detail = element("table", { class: "kx-detail" });
  const sums = element("details", { open: !model.get("playing") }, element("summary", {}, words.sums), element("div", { class: "kx-scroll" }, detail));
  sums.addEventListener("toggle", () => drawStep()); // with them come the scores of the trellis
  const legend = element("div", { class: "kx-quiet" });
  const play = player((step) => { model.set("step", step); model.save_changes(); }, words.player);
  el.classList.add("kx");
  el.append(play.element, caption, scroll, legend, scales, sums, below);

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
  let nodes, edges, weighed, width, unaided, unaidedKey, shownKey, sized; // what stays between moves
  function compute() {
    const key = `${model.get("index")} ${model.get("network")} ${at().text}`;
    if (key !== unaidedKey) {
      pulled = null;
      characters = Array.from(at().text);
      reading = at().readings[own()];
      WIDTH = columnWidth();
      unaided = otherRows();
      unaidedKey = key;
      shownKey = null;
      drawSentence();
      buildTrellis();
    }
    lexicon = model.get("lexicon");
    path = decode(characters, reading, at().cuts, lexicon);
    weighed = path.found.find(([, , word]) => word === pulled) ?? path.found[0];
    found = path.found;
    steps = 2 * characters.length;
    width = Math.max(x(characters.length) + 20, Math.min(640, (el.clientWidth || 640) - 4)); // room for what is written
    column = Math.min(found[0]?.[0] ?? 0, characters.length - 1);
    const size = `${width} ${found.length > 0} ${unaidedKey}`;
    if (size === sized) return; // the same size set again would lay out all text again
    sized = size;
    for (const part of [svg, cuts]) part.setAttribute("width", width);
    top = found.length ? 0 : TOP;
    svg.setAttribute("height", characters.length ? Y.height - top : 0);
    svg.setAttribute("viewBox", `0 ${top} ${width} ${Y.height - top}`);
    cuts.setAttribute("height", characters.length ? Y.cuts + Y.line * unaided.length : 40);
  }

  const columnWidth = () =>
    Math.max(42, Math.min(76, Math.floor(((el.clientWidth || 700) - LEFT - 30) / Math.max(12, characters.length))));

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

  /** Where the faders of words stand: over their words, but not too near to each other, and in sight. */
  function sideBySide(words) {
    const centres = [...words].map(([word, [start, end]]) => [word, (x(start) + x(end)) / 2]).sort(([, a], [, b]) => a - b);
    const most = width - 80;
    centres.forEach((one, i) => { if (i) one[1] = Math.max(one[1], centres[i - 1][1] + SPREAD); });
    centres.reverse().forEach((one, i) => { one[1] = Math.min(one[1], i ? centres[i - 1][1] - SPREAD : most); });
    return new Map(centres);
  }

  /** What depends on a word and on all that is known but its own multiplier: computed once for all its moves. */
  const known = new Map();
  function once(what, word, compute) {
    const key = JSON.stringify([unaidedKey, { ...lexicon, [word]: 0 }]), kept = known.get(`${what} ${word}`);
    // The marks of other words wait until the fader is let go.
    if (kept && (kept.key === key || (held !== null && held !== word))) return kept.value;
    const value = compute();
    known.set(`${what} ${word}`, { key, value });
    return value;
  }

  const scaleMarks = () =>
    [[EDGE, words.always], [4, "×10,000"], [2, "×100"], [0, "×1"], [-2, "÷100"], [-4, "÷10,000"], [-EDGE, words.never]];

  function drawFaders() {
    const parts = [];
    const axis = scaleMarks();
    for (const [p] of found.length ? axis : []) {
      parts.push(element("line", { class: p ? "kx-tick" : "kx-tick kx-one", x1: LEFT, x2: x(characters.length), y1: level(p), y2: level(p) }));
    }
    const first = new Map();
    for (const [start, end, word] of found) if (!first.has(word)) first.set(word, [start, end]);
    const middles = sideBySide(first);
    let level0 = 0, reached = -1; // brackets of words that overlap stand one above the other
    for (const [word, [start, end]] of [...first].sort(([, a], [, b]) => a[0] - b[0])) {
      const whole = isWord(path.tags, start, end), middle = middles.get(word);
      level0 = start < reached ? (level0 + 1) % 3 : 0;
      reached = Math.max(reached, end);
      const p = power(lexicon[word]);
      const snap = once("flip", word, () => flip(characters, reading, at().cuts, lexicon, word, [start, end]));
      const value = inWords(lexicon[word], words);
      for (const [a, b] of found.filter(([, , other]) => other === word)) {
        parts.push(element("path", {
          class: whole ? "kx-bracket" : "kx-bracket kx-open",
          d: `M${x(a) + 3} ${Y.bracket + 6 - 5 * level0}v-6H${x(b) - 3}v6`,
        }));
      }
      parts.push(element("path", { class: "kx-track",
        d: `M${middle} ${level(EDGE)}V${Y.bottom}L${(x(start) + x(end)) / 2} ${Y.bracket - 5 * level0}` }));
      if (Number.isFinite(snap)) {
        const text = phrase(words.snaps, { multiplier: inWords(10 ** Math.min(snap, 15), words) });
        const label = inWords(Number((10 ** snap).toPrecision(2)), words) + (Math.abs(snap) > EDGE ? " ↑" : "");
        parts.push(element("g", { class: "kx-snap" },
          element("title", {}, text),
          element("path", { d: `M${middle - 25} ${level(snap) - 5}l10 5l-10 5z` }),
          element("line", { x1: middle - 18, x2: middle + 18, y1: level(snap), y2: level(snap) }),
          Math.abs(level(p) - level(snap)) > 13 && element("text", { x: middle + 22, y: level(snap) + 4 }, label),
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
        element("text", { lang: "zh", x: middle - 3, y: Y.name, "text-anchor": "middle" }, word),
        element("rect", { x: middle - 6 + 7 * Array.from(word).length, y: 0, width: 20, height: 18, fill: "transparent" }),
        element("path", { d: `M${middle + 1 + 7 * Array.from(word).length} 5l7 7m0-7l-7 7` })),
      );
    }
    labels.querySelector(".kx-marks")?.setAttribute("visibility", first.size ? "visible" : "hidden");
    redraw(faders, ...parts);
  }

  /** The two paths that a fader decides between, in the scales: with the word, and the best without it. */
  function drawDuel() {
    if (!weighed) return;
    const [start, end, word] = weighed;
    const without = prepare(characters, reading, at().cuts, { ...lexicon, [word]: 1 });
    const { whole, rival } = weigh(path, without, start, end);
    // In powers of ten: what the network says of the two alone, and what they have with the dictionary.
    const alone = (scoreOf(without, whole) - scoreOf(without, rival)) / Math.LN10, p = (whole.total - rival.total) / Math.LN10;
    // As much of both cuts as differs around the word.
    const borders = [rival, whole].map(({ tags, total }) => new Set(total > -Infinity ? spans(tags).flat() : [start, end]));
    const shared = (t) => borders.every((border) => border.has(t));
    let from = start, to = end;
    while (!shared(from)) from -= 1;
    while (!shared(to)) to += 1;
    const [lost, won] = borders.map((border) => {
      const stops = [...border].filter((t) => t >= from && t <= to).sort((a, b) => a - b);
      return stops.slice(1).map((stop, i) => characters.slice(stops[i], stop).join("")).join(" / ");
    });
    const ratio = Math.abs(p) < ALWAYS / 10 ? compact(10 ** Math.abs(p), words) : "∞";
    const mid = at10(0), sign = p < alone ? -1 : 1, added = Math.abs(p - alone) > 0.05;
    const name = (k, look, direction, text) => { // beside its mark, or above it where there is no room
      const x = at10(k), out = x < 100 || x > 320;
      return element("text", { class: look, x: out ? x : x + 8 * direction, y: 12, "text-anchor": out ? "middle" : direction < 0 ? "end" : "start" }, text);
    };
    redraw(weights,
      element("rect", { class: p > 0 ? "kx-lead kx-won" : "kx-lead", x: Math.min(mid, at10(p)), y: 19, width: Math.abs(at10(p) - mid), height: 12 }),
      element("line", { class: "kx-added", x1: at10(alone), x2: at10(p), y1: 25, y2: 25 }),
      element("circle", { class: "kx-alone", cx: at10(alone), cy: 25, r: 5 }),
      name(alone, "kx-blue", -sign, words.columns[1]),
      added && name(p, "kx-green", sign, `+ ${words.columns[2]}`),
      element("path", { class: "kx-weight", d: `M${at10(p)} 33l-7 -16h14z` }));
    const [one, other] = p > 0 ? [won, lost] : [lost, phrase(words.any, { word })]; // what comes with it is seen when it wins
    // A multiplier counts once for each tag of the word that the other path has not.
    const n = whole.tags.filter((tag, t) => t >= start && t < end && tag !== rival.tags?.[t]).length;
    const snap = once("flip", word, () => flip(characters, reading, at().cuts, lexicon, word, [start, end]));
    const needed = inWords(Number((10 ** snap).toPrecision(2)), words);
    const steady = Math.abs(n * snap + p) < 0.05; // no other cut comes to the front on the way
    const makesUp = lexicon[word] === 1 && p < 0 && Number.isFinite(snap) && phrase(words.counts[!steady ? 2 : n > 1 ? 1 : 0], {
      n, ratio, multiplier: needed, product: Array(n).fill(needed.slice(1)).join(" × "),
    });
    told.textContent = [phrase(ratio === "1" ? words.tie : ratio === "∞" ? words.decided : found.every(([, , other]) => lexicon[other] === 1) ? words.alike : words.leads, { one, other, ratio }), makesUp].filter(Boolean).join(" ").replace("。.", "。");
    beam.setAttribute("aria-label", told.textContent);
    for (const [side, text, wins] of [[left, lost, p <= 0], [right, p > 0 ? won : `… ${word} …`, p > 0]]) {
      const meanings = text.split(" / ").map((one) => model.get("glosses")[one.replace(/^… | …$/g, "")]);
      redraw(side, text, element("small", { lang: words.locale }, meanings.every(Boolean) ? meanings.join(" / ") : ""));
      side.classList.toggle("kx-wins", wins);
    }
  }

  function drawSentence() {
    const parts = characters.map((character, t) => element("text", {
      class: "kx-character", lang: "zh", x: centre(t), y: Y.sentence, "text-anchor": "middle", tabindex: t === (focus ?? 0) ? 0 : -1,
      "data-key": `character ${t}`, "data-place": t, role: "button", "aria-label": phrase(words.character, { character, n: t + 1 }),
    }, character === " " ? "␣" : character));
    redraw(sentence, ...parts);
  }

  /** Make the nodes of the trellis; moves only change how they look. */
  function buildTrellis() {
    edges = Object.fromEntries(["winners", "losers", "newest", "route"].map((name) => [name, element("path", { class: `kx-edge kx-${name}` })]));
    nodes = characters.map((character, t) => [...TAGS].map((letter, tag) => {
      const box = { x: centre(t) - NODE() / 2, y: y(tag) - 12, width: NODE(), height: 24, rx: 6 };
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
    const gloss = element("text", { class: "kx-quiet", x: LEFT, y: Y.gloss }, at().gloss ?? "");
    redraw(labels, ...(characters.length ? [ground, element("g", { class: "kx-marks" }, ...marks), ...names, gloss] : []));
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
          if (kind) lines[kind] += `M${centre(t - 1) + NODE() / 2 - 2} ${y(before)}L${centre(t) - NODE() / 2 + 2} ${y(tag)}`;
        }
      }
    }
    for (let t = T - traced; t < T; t++) lines.route += `${lines.route ? "L" : "M"}${centre(t)} ${y(path.tags[t])}`;
    for (const [kind, d] of Object.entries(lines)) edges[kind].setAttribute("d", d);
    // What "always" adds to every tag of a column says nothing there.
    const shared = path.running.map((column) => ALWAYS * Math.min(...column.filter(Number.isFinite).map((s) => Math.round(s / ALWAYS))));
    nodes.forEach((column, t) => column.forEach(({ node, text }, tag) => {
      const chosen = t >= T - traced && path.tags[t] === tag;
      const state = !possible(t, tag) ? "kx-never" : chosen ? "kx-chosen" : t === step - 1 ? "kx-current" : "";
      const look = `kx-node ${state} ${path.bonuses[t][tag] ? "kx-bonus" : ""}`;
      const shown = sums.open && t < reached && possible(t, tag) ? score(path.running[t][tag] - shared[t]) : "";
      if (node.getAttribute("class") !== look) node.setAttribute("class", look);
      if (text.textContent !== shown) text.textContent = shown;
    }));
  }

  const score = (s) => (Math.abs(s) < 10 ? digits(Number(s.toFixed(1)) || 0) : Math.abs(s) < ALWAYS / 2 ? digits(Math.round(s)) : sum(s).split(" ")[0]);

  const bestSoFar = (t) => path.running[t].indexOf(Math.max(...path.running[t]));

  /** The words of the best path up to the newest column. */
  function soFar() {
    const tags = [];
    for (let t = now() - 1, tag = t < 0 ? S : bestSoFar(t); t >= 0; tag = path.from[t][tag], t--) tags[t] = tag;
    return spans(tags);
  }

  function drawCuts() {
    const traced = now() - characters.length;
    const mine = spans(path.tags);
    const agreed = new Set(mine.map(String));
    const key = `${mine} ${found.length > 0}`;
    if (key === shownKey?.cut && traced === shownKey.traced) return;
    const before = shownKey && traced >= characters.length && new Set(shownKey.mine.map(String)); // the cut before the last move
    const draw = (cut, top, isMain) => cut.map(([start, end]) => {
      const word = characters.slice(start, end).join(""), gloss = model.get("glosses")[word];
      const look = top === Y.words && !isMain ? "kx-word" : isMain ? `kx-word kx-main ${!before || before.has(String([start, end])) ? "" : "kx-new"}` : agreed.has(String([start, end])) ? "kx-word" : "kx-word kx-differs";
      return element("g", { class: look },
        element("title", {}, gloss ? `${word}: ${gloss}` : word),
        element("rect", { x: x(start) + 3, y: top, width: WIDTH * (end - start) - 6, height: 25, rx: 8 }),
        ...characters.slice(start, end).map((character, k) =>
          element("text", { lang: "zh", x: centre(start + k), y: top + 18, "text-anchor": "middle" }, character)),
        top === Y.words && gloss && gloss.length * 5.6 < WIDTH * (end - start) &&
          element("text", { class: "kx-gloss", x: (x(start) + x(end)) / 2, y: top + 38, "text-anchor": "middle" }, gloss));
    });
    // Who steps shall not see the end, but the best cut of what has been read so far.
    below.style.visibility = now() < steps ? "hidden" : "";
    scales.hidden = !weighed;
    scales.style.visibility = below.style.visibility;
    const known = mine.filter(([start]) => characters.length - start <= traced); // where the path has come back to
    const rest = traced <= 0 ? soFar() : mine.slice(0, mine.length - known.length);
    redraw(main, ...draw(rest, Y.words, false), ...draw(known, Y.words, true));
    if (key !== shownKey?.cut) {
      const shown = characters.length ? unaided.filter(([name]) => found.length || name !== words.alone) : [];
      const described = (name) => name === words.alone ? `${name} ${words.dashed}` : at().others[name] ? words.methods[Object.keys(at().others).indexOf(name)] : name;
      redraw(others, ...shown.flatMap(([, cut], i) => draw(cut, Y.cuts + Y.line * i + 5, false)));
      redraw(names, ...shown.map(([name], i) => element("text", { class: "kx-quiet", x: LEFT, y: Y.cuts + Y.line * i }, described(name))),
        !characters.length && element("text", { x: LEFT, y: 24 }, words.empty));
    }
    shownKey = { cut: key, traced, mine };
  }

  /** What happens in one column, in numbers: the one pointed at last, or the newest. */
  function drawDetail() {
    const step = now(), T = characters.length, pointed = hovered ?? focus;
    if (pointed !== null) column = pointed;
    else if (step >= 1 && step < 2 * T) column = Math.min(step - 1, 2 * T - step);
    const t = column, character = characters[t];
    legend.textContent = T ? words.legend[sums.open ? 1 : 0] : "";
    const before = new Set(unaided[0]?.[1].map(String)); // of the same network without a dictionary
    const mark = known.get(`flip ${pulled}`)?.value ?? 0; // a power of ten, as the fader shows it
    const changed = spans(path.tags).filter((span) => !before.has(String(span))).map(([a, b]) => characters.slice(a, b).join("")).join(" / ");
    caption.textContent = phrase(
      !T ? words.empty
        : pointed !== null ? (reading.beyond ? words.beyond : words.sees)
        : step === 0 ? words.begin
        : pulled in lexicon && step === 2 * T ? (lexicon[pulled] === 1 ? words.added : pulledWhole() ? (mark < 0 ? words.holds : words.whole) : changed ? words.changed : words.cut)
        : step <= T ? (step === 1 ? words.first : step === 2 ? words.moves : words.column[sums.open ? 1 : 0])
        : step === T + 1 ? words.trace
        : step < 2 * T ? words.back
        : sums.open ? words.done[1] : found.length ? words.done[0] : words.drag,
      {
        character, tag: tagNames[path.tags[T - 1]], score: sum(path.total), n: 2 * reading.reach + 1,
        field: characters.slice(Math.max(0, t - reading.reach), t + reading.reach + 1).join(""),
        mark: inWords(Number((10 ** mark).toPrecision(2)), words), best: T ? tagNames[bestSoFar(t)] : "", now: tagNames[path.tags[t]], before: tagNames[path.tags[t - 1]], changed,
        word: pulled, multiplier: pulled in lexicon ? inWords(lexicon[pulled], words) : "",
      }).replace("。.", "。");
    if (!sums.open) return;
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
        const gained = !mine ? words.rule : bonus > 0 && found.some(([a, b, , m]) => a <= t && t < b && m === "never") ? words.parted : Math.abs(bonus) >= ALWAYS / 2 ? words[bonus > 0 ? "always" : "never"] : `log ${digits(Math.exp(bonus))} (${sum(bonus)})`;
        cells.push(
          element("td", {}, ...(ways.length ? ways.map(way) : [words.start])),
          element("td", { class: "kx-blue" }, `+ ${log(Math.exp(reading.logs[t][tag]))}`),
          element("td", { class: "kx-green" }, bonus ? `+ ${gained}` : ""),
          element("td", {}, element("b", {}, `= ${sum(path.running[t][tag])}`)),
        );
      }
      lines.push(element("tr", {}, ...cells));
    }
    if (lines.some((line) => line.textContent.includes("∞"))) {
      lines.push(element("tr", {}, element("td", { colspan: 5, class: "kx-quiet" }, words.endless)));
    }
    redraw(detail, ...lines);
  }

  function drawStep() {
    play.update(now(), steps);
    drawTrellis();
    drawCuts();
    drawDetail();
  }

  /** Scroll to the place of work, or at the end to what can be pulled. */
  function keepInSight() {
    const end = now() === steps, place = end ? weighed?.[0] : now() <= characters.length ? now() - 1 : steps - now();
    if (now() > 0 && place !== undefined) {
      const left = scroll.scrollLeft, seen = scroll.clientWidth, until = x(end ? weighed[1] : Math.min(place + 3, characters.length));
      if (x(place) < left + LEFT || until > left + seen) scroll.scrollLeft = (x(place) + until - seen) / 2;
    }
  }

  function drawAll() {
    compute();
    drawBand();
    drawFaders();
    drawDuel();
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
    if (handle) [held, grip] = [handle.dataset.word, level(power(lexicon[handle.dataset.word])) - event.clientY];
    else if (inSentence(p)) [selection, hovered] = [[p.t, p.t], null];
    else return;
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    if (handle) handle.focus({ preventScroll: true });
    drawBand();
  });
  svg.addEventListener("pointermove", (event) => {
    const p = place(event);
    if (held !== null) {
      const value = multiplierAt(level.inverse(grip + event.clientY)); // though the page may move under the pointer
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
    if (held !== null) { held = null; drawFaders(); }
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

  if (model.get("playing") && motion()) model.set("step", 0); // who will watch shall not see the end
  const endings = [
    follow(model, ["sentences", "index", "network", "lexicon"], () => {
      hovered = null;
      const text = at().text, other = text !== characters.join("");
      drawAll();
      if (!other || !text || !model.get("playing") || !motion()) return;
      model.set("step", 0);
      play.play();
    }),
    follow(model, ["step"], () => { drawStep(); keepInSight(); }),
  ];
  drawAll();
  const resized = new ResizeObserver(() => {
    el.classList.toggle("kx-narrow", el.clientWidth < 640);
    if (columnWidth() === WIDTH) return;
    unaidedKey = null;
    drawAll();
  });
  resized.observe(el);
  const watcher = new IntersectionObserver((entries) => { // it begins when it can be seen, and shows all of itself
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    model.set("step", 0);
    play.play();
  }, { threshold: 0.3 });
  if (model.get("playing") && motion()) {
    setTimeout(() => { // who runs the cell is taken to the next one: come back
      (el.closest(".kexue") ?? el).scrollIntoView({ block: "start" });
      watcher.observe(svg);
    }, 800);
  }
  return () => { watcher.disconnect(); resized.disconnect(); play.stop(); for (const end of endings) end(); };
}

export default { render };
