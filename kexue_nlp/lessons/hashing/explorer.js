// Digits under three hashes side by side, and words alone and in a sentence: codes, and what they find.

const METHODS = ["LSH", "FlyHash", "BioHash"]; // the colour of each stands in explorer.css

/** All units of a code as a field of squares: what is on, and what it has in common with another code, or has not. */
function field(n, columns, code, other, label, whole) {
  const squares = (units) => units.map((unit) => `M${(unit % columns) * 10 + 1} ${Math.floor(unit / columns) * 10 + 1}h8v8h-8z`).join("");
  const on = new Set(code), also = new Set(other);
  const [shared, own] = [true, false].map((both) => code.filter((unit) => also.has(unit) === both));
  const apart = whole ? other.filter((unit) => !on.has(unit)) : [];
  const parts = { "kx-off": [...Array(n).keys()], "kx-apart": apart, "kx-own": own, "kx-shared": shared };
  return element("svg", { class: "kx-units", viewBox: `0 0 ${columns * 10} ${Math.ceil(n / columns) * 10}`, role: "img", "aria-label": label },
    ...Object.entries(parts).map(([name, units]) => element("path", { class: name, d: squares(units) })));
}

/** A field, and what lights up another code in it while a neighbour is pointed at or has the focus. */
function lighting(n, columns, code, other, label) {
  const holder = element("div"), show = (also, whole) => holder.replaceChildren(field(n, columns, code, also, label, whole));
  const off = () => show(other, false);
  off();
  return { holder, by: (also) => ({ pointerenter: () => show(also, true), pointerleave: off, focus: () => show(also, true), blur: off }) };
}

/** Tell whenever another square of a field is pointed at, by the number of its unit, or null. */
function point(holder, n, columns, tell) {
  holder.addEventListener("pointermove", ({ clientX, clientY }) => {
    const box = holder.firstChild.getBoundingClientRect(), side = box.width / columns;
    const unit = Math.floor((clientY - box.top) / side) * columns + Math.floor((clientX - box.left) / side);
    if (unit >= 0 && unit < n && clientX < box.right) tell(unit);
  });
  holder.addEventListener("pointerleave", () => tell(null));
}

function render({ model, el }) {
  const words = model.get("words"), get = (name) => model.get(name);
  const set = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  };
  // -- digits --
  const labels = get("labels"), [height, width] = get("shape"), pixels = get("pixels"), queries = new Set(get("queries"));
  const tables = {}; // unpacked when first asked for
  const tableOf = (method, n) => (tables[`${method} ${n}`] ??=
    (method === "LSH" ? unpacked : ranked)(get("codes")[`${method} ${n}`], labels.length, n));

  function picture(row, from = pixels) {
    const canvas = element("canvas", { width, height, "aria-hidden": "true" }), pen = canvas.getContext("2d");
    const image = pen.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      image.data.set(Array(3).fill(255 - from.getUint8(row * width * height + i)), 4 * i);
      image.data[4 * i + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
    return canvas;
  }

  const learned = element("div", { class: "kx-learned" }); // by the unit of BioHash that is pointed at

  function drawMethod(method, item, n, k) {
    const table = tableOf(method, n), all = method === "LSH" ? n : k, code = codeOf(table, item, all);
    const { found, ties } = nearest(table, code, all, hamming, (row) => row === item || queries.has(row));
    const right = found.filter(({ row }) => labels[row] === labels[item]).length;
    const counts = { right, all: found.length, on: code.length, n, d: -(found.at(-1)?.score ?? 0), ties };
    const columns = n > 160 ? 80 : 40, full = method !== "LSH" && k >= n;
    const { holder, by } = lighting(n, columns, code, [], phrase(words.on, counts));
    if (method === "BioHash") {
      point(holder, n, columns, (unit) => redraw(learned, ...(unit === null ? []
        : [picture(unit, get("learned")[n]), phrase(words.unit, { unit: unit + 1 })])));
    }
    const thumbs = found.map(({ row, score }, i) => {
      const same = labels[row] === labels[item];
      const label = `${labels[row]} ${same ? "✓" : "✗"} ${phrase(words.distance, { d: -score })}`;
      return element("button", {
        type: "button", class: `kx-thumb ${same ? "kx-same" : "kx-else"}`, title: label, "aria-label": label,
        "data-key": `${method} ${i}`, "data-row": row, on: { ...by(codeOf(table, row, all)), click: () => set({ item: row }) },
      }, picture(row));
    });
    return element("div", { class: "kx-method", "data-method": method },
      element("div", {}, element("b", {}, method), ` ${phrase(words.right, counts)} `,
        element("span", { class: "kx-quiet" }, full ? words.full : phrase(words.ties, counts))),
      element("div", { class: "kx-thumbs" }, ...thumbs),
      element("div", {}, holder,
        element("div", { class: "kx-quiet" }, phrase(method === "LSH" ? words.half : words.on, counts))));
  }

  /** Mean average precision against k, at this number of units. */
  function drawCurves(size, k) {
    const { active, units, scores } = get("measured"), curves = scores[size], n = units[size];
    const ks = active.filter((one) => one <= n), last = Math.log2(ks.at(-1));
    const x = scale(0, Math.max(last, 1), 40, 300), y = scale(0, 1, 150, 10);
    const ends = METHODS.map((method, i) => [curves[i].at(-1), method]).sort(([a], [b]) => b - a);
    ends.forEach((end, i) => { end[2] = Math.max(y(end[0]), i ? ends[i - 1][2] + 15 : 0); }); // no name on another
    const off = ks.map((one) => Math.abs(Math.log2(one / k))), near = off.indexOf(Math.min(...off)); // it is measured at few k
    const here = METHODS.map((method, i) => `${method} ${curves[i][near].toFixed(2)}`).join(", ");
    const caption = `${phrase(words.curves, { n, k: ks[near] })}: ${here}`;
    return element("div", { class: "kx-curves" }, element("div", { class: "kx-quiet" }, caption),
      element("svg", { viewBox: "0 0 380 190", role: "img", "aria-label": caption },
        ...[0, 0.5, 1].flatMap((p) => [
          element("path", { class: "kx-tick", d: `M40 ${y(p)}H300` }),
          element("text", { class: "kx-quiet", x: 34, y: y(p) + 4, "text-anchor": "end" }, p)]),
        ...ks.map((one) => element("text", { class: "kx-quiet", x: x(Math.log2(one)), y: 168, "text-anchor": "middle" }, one)),
        element("text", { class: "kx-quiet", x: 170, y: 186, "text-anchor": "middle" }, words.active),
        element("path", { class: "kx-here", d: `M${x(Math.log2(ks[near]))} 10V150` }),
        ...METHODS.map((method, i) => element("path", { class: `kx-curve kx-${method}`, d: `M${ks.map((one, j) => `${x(Math.log2(one))} ${y(curves[i][j])}`).join("L")}` })),
        ...ends.map(([, method, top]) => element("text", { class: `kx-of-${method}`, x: 308, y: top + 4 }, method))));
  }

  const methods = element("div"), query = element("div", { class: "kx-query" }), curves = element("div");
  const digits = element("div", {}, element("div", { class: "kx-digits" }, query, methods), curves);
  function drawDigits() {
    redraw(learned);
    const size = get("size"), n = get("measured").units[size], k = Math.min(get("k"), n), item = get("item");
    redraw(query, picture(item), element("div", {}, phrase(words.query, { label: labels[item] })),
      element("div", { class: "kx-quiet" }, phrase(words.among, { n: labels.length - queries.size })), learned);
    redraw(methods, ...METHODS.map((method) => drawMethod(method, item, n, k)));
    redraw(curves, drawCurves(size, k));
  }

  // -- words --
  const unfit = new Set(get("unfit")), vocabulary = get("vocabulary"), names = get("names"), table = ranked(get("table"), vocabulary.length);
  const bar = (shared, k) => element("span", { class: "kx-bar" }, element("span", { style: `width: ${(100 * shared) / k}%` }));

  /** A code, what its strongest units stand for, and the words whose codes share most with it. */
  function drawCode(where, title, code, other, word, k) {
    const { found } = nearest(table, code, k, cosine, (row) => row === word || unfit.has(row));
    const counts = { on: code.length, n: names.length };
    const { holder, by } = lighting(names.length, 40, code, other, phrase(words.on, counts));
    point(holder, names.length, 40, drawVotes);
    return element("div", { class: "kx-panel", "data-where": where },
      element("div", {}, element("b", {}, title)),
      holder,
      element("div", { class: "kx-quiet" }, phrase(words.on, counts)),
      element("ol", { class: "kx-names", "aria-label": words.names },
        ...code.slice(0, 4).map((unit) => element("li", { class: other.includes(unit) && "kx-stays" }, names[unit].join(" ")))),
      element("div", { class: "kx-quiet" }, words.nearest),
      ...found.map(({ row, shared }, i) => element("button", {
        type: "button", class: "kx-near", "data-key": `${where} ${i}`, "data-row": row,
        on: { ...by(codeOf(table, row, k)), click: () => lookUp(row) },
      }, element("span", {}, vocabulary[row]), bar(shared, code.length), phrase(words.shared, { shared, k: code.length }))));
  }

  /** A word alone needs no kernel: its code is in the table. */
  function lookUp(row) {
    const own = { words: [vocabulary[row]], ids: [row], votes: "", place: 0 };
    const sentences = get("sentences");
    set({ sentences: [...sentences.slice(0, -1), own], index: sentences.length - 1, typed: vocabulary[row] });
  }

  /** The words around a place that are known, as many on each side as have a say. */
  function around({ ids }, place) {
    const known = [...ids.keys()].filter((i) => ids[i] >= 0), at = known.indexOf(place), { half } = get("measured");
    return known.slice(Math.max(0, at - half), at + half + 1).filter((i) => i !== place);
  }

  /** What each word says at a place, its own first: its position and a weight for each unit. A word has one vote. */
  function votesAt({ ids, votes }, place) {
    const weights = new Float32Array(Uint8Array.from(atob(votes), (letter) => letter.charCodeAt(0)).buffer);
    const row = (i) => weights.subarray(i * names.length, (i + 1) * names.length);
    const others = around({ ids }, place).filter((i, j, all) => all.findIndex((one) => ids[one] === ids[i]) === j);
    return [[place, row(place)], ...others.map((i) => [i, row(ids.length + i)])];
  }

  const chips = element("div", { class: "kx-sentence" }), told = element("div", { class: "kx-told", role: "status" });
  const votes = element("div", { class: "kx-who" }), panels = element("div", { class: "kx-panels" }), sentence = element("div", {}, chips, told, votes, panels);
  let spoken = null; // what was said of the word that is looked at, and the units that it lit

  /** The share that each word has in the activations of the units that are on, or of one. */
  function drawVotes(unit = null) {
    if (!spoken) return redraw(votes, unit !== null && element("div", { class: "kx-quiet" }, `“${names[unit].join(" ")}” (${unit + 1})`));
    const { one, said, silent, code } = spoken, units = unit === null ? code : [unit];
    const sums = said.map(([i, weights]) => (silent.has(i) ? 0 : units.reduce((sum, at) => sum + weights[at], 0)));
    const total = sums.reduce((sum, some) => sum + some, 0) || 1;
    const cells = said.map(([i], j) => [i, Math.round((100 * sums[j]) / total)]).sort(([a], [b]) => a - b);
    redraw(votes, element("div", { class: "kx-quiet" }, unit === null ? phrase(words.votes, { k: code.length })
      : phrase(code.includes(unit) ? words.voted : words.lost, { unit: unit + 1, names: names[unit].join(" ") })),
      element("div", { class: "kx-votes" }, ...cells.map(([i, share]) => element("button", {
        type: "button", class: "kx-vote", "data-key": `vote ${i}`, "aria-pressed": String(!silent.has(i)), disabled: i === said[0][0],
        on: { click: () => set({ silent: silent.has(i) ? [...silent].filter((k) => k !== i) : [...silent, i] }) },
      }, element("span", {}, one.words[i]), bar(share, 100), `${share} %`))));
  }

  function drawWords() {
    const one = get("sentences")[get("index")], k = get("k");
    const place = one.ids[get("place")] >= 0 ? get("place") : one.place, near = new Set(place === null ? [] : [place, ...around(one, place)]);
    redraw(chips, ...one.words.map((word, i) => element("button", {
      type: "button", class: `kx-button ${near.has(i) || one.ids[i] < 0 ? "" : "kx-far"}`, "data-key": `chip ${i}`, disabled: one.ids[i] < 0, "aria-pressed": String(i === place),
      title: one.ids[i] < 0 ? words.unknown : undefined, on: { click: () => set({ place: i, silent: [] }) },
    }, word)));
    spoken = null;
    if (place === null) {
      told.textContent = words.empty;
      drawVotes();
      return redraw(panels);
    }
    const word = one.ids[place], alone = codeOf(table, word, k), lonely = near.size < 2;
    let within = [];
    if (!lonely) {
      const said = votesAt(one, place), silent = new Set(get("silent")), sums = new Float32Array(names.length); // in Python's order
      for (const [i, weights] of said) if (!silent.has(i)) weights.forEach((weight, unit) => { sums[unit] += weight; });
      within = [...sums.keys()].filter((unit) => sums[unit] > 0).sort((a, b) => sums[b] - sums[a] || a - b).slice(0, k);
      spoken = { one, said, silent, code: within };
    }
    drawVotes();
    const stay = alone.filter((unit) => within.includes(unit)).length;
    told.textContent = phrase(lonely ? words.lonely : words.stay, { word: one.words[place], k: alone.length, stay });
    redraw(panels, drawCode("alone", phrase(words.alone, { word: one.words[place] }), alone, within, word, k),
      !lonely && drawCode("within", words.within, within, alone, word, k));
  }

  const hint = element("div", { class: "kx-quiet" });
  function draw() {
    for (const [i, part] of [digits, sentence].entries()) part.hidden = get("tab") !== i;
    (get("tab") ? drawWords : drawDigits)();
    hint.textContent = get("tab") ? words.pointing : words.hint;
  }
  el.classList.add("kx");
  el.append(digits, sentence, hint);
  draw();
  const ends = [follow(model, ["tab", "k", "size", "item", "place", "silent"], draw)];
  // As the sentence has it, with all votes.
  ends.push(follow(model, ["index", "sentences"], () => { set({ place: -1, silent: [] }); draw(); }));
  return () => ends.forEach((end) => end());
}

export default { render };
