// A review weighed word by word: each word in the colour of what it adds, and the running total below.

const HEIGHT = 170, LEFT = 46, RIGHT = 12, TOP = 8, BOTTOM = 34; // pixels of the running total
const SPACE = 17; // between two ticks
const TICKS = [0.5, 0.25, 0.75, 0.1, 0.9, 0.05, 0.95, 0.01, 0.99, 0.001, 0.999]; // those in front have precedence

const oddsOf = (p) => Math.log(p / (1 - p));
const percent = (odds) => `${digits(100 / (1 + Math.exp(-odds)))}%`;
const signed = (x) => `${x < 0 ? "−" : "+"}${digits(Math.abs(x), 2)}`;

/** The log-odds before the first word and after each. */
export function runningTotals(start, parts) {
  let total = start;
  return [start, ...parts.map((part) => (total += part))];
}

function render({ model, el }) {
  const words = model.get("words"), about = model.get("about");
  let now, totals, most, step = 0, pointed = null; // words read; the one that is pointed at, from 1

  const verdict = element("p", { class: "kx-verdict", role: "status" }), others = element("div");
  const text = element("div", { class: "kx-words", lang: "en", dir: "ltr" });
  const told = element("p", { class: "kx-told" }), note = element("p", { class: "kx-note" });
  const legend = element("p", { class: "kx-quiet" });
  const frame = element("g"), total = element("path", { class: "kx-total" }), rest = element("path", { class: "kx-rest" });
  const dot = element("circle", { r: 6 });
  const svg = element("svg", { class: "kx-running", role: "img", height: HEIGHT }, frame, rest, total, dot);
  const reader = player((to) => { step = to; pointed = null; drawStep(); }, words.player, 160);
  el.classList.add("kx");
  const strike = element("p", { class: "kx-quiet kexue-needs-kernel" }, words.strike);
  el.append(verdict, others, reader.element, legend, strike, text, note, told, svg);

  let x, y;
  const path = (from, to) => to < from ? "" : `M${totals.slice(from, to + 1).map((z, i) => `${x(from + i).toFixed(1)} ${y(z).toFixed(1)}`).join("L")}`;

  /** What a judge says of the text with no word struck out. */
  const whole = (judge) => now.whole && element("span", { class: "kx-quiet" }, phrase(words.whole, { p: now.whole[judge] }));

  /** All that belongs to a text. */
  function drawText() {
    reader.stop();
    now = model.get("texts")[model.get("index")];
    totals = runningTotals(now.start, now.parts);
    step = now.words.length;
    pointed = null;
    redraw(text, ...now.words.flatMap((word, t) => [
      element("span", {
        "data-t": t + 1, title: !now.known[t] && words.unknown, class: now.struck.includes(t) ? "kx-struck" : now.known[t] ? "" : "kx-unknown",
      }, word), " "]));
    const n = step - now.struck.length, unknown = now.known.filter((known, t) => !known && !now.struck.includes(t)).length, p = 1 / (1 + Math.exp(-totals.at(-1)));
    redraw(others, ...now.others.map(([name, said], i) => element("p", { class: "kx-verdict" }, element("b", {}, said),
      element("span", { class: "kx-quiet" }, name), whole(i + 1))));
    note.textContent = [
      n > 0 && n < about.length / 2 && p > about.unsure[0] && p < about.unsure[1] && phrase(words.short, { length: about.length, n }),
      unknown > n / 2 && phrase(words.strange, { unknown, n }),
      now.left > 0 && phrase(words.left, { n: step, left: now.left }),
    ].filter(Boolean).join(" ");
    for (const part of [reader.element, legend, strike, svg, told]) part.style.display = step ? "" : "none";
    drawFrame();
    drawColours(); // and the step
  }

  /** What colours the words: their parts, what another judge makes of them, or one unit. */
  function drawColours() {
    const number = model.get("colour"), colours = now.colours[number], others = about.judges.length;
    const judge = about.judges[number - 1], unit = about.units[number - 1 - others];
    for (const span of text.children) {
      const value = colours[span.dataset.t - 1];
      span.style.setProperty("--hue", `var(--kx-${value < 0 ? "orange" : "blue"})`);
      span.style.setProperty("--share", `${Math.abs(value) * 0.6}%`);
    }
    legend.classList.toggle("kx-note", number > 0);
    legend.textContent = judge ? phrase(words.left_out, { judge, limit: about.limit }) : !unit ? words.colours
      : phrase(words.unit, { unit: unit[0], n: about.n, share: `${Math.round(100 * unit[1])}%` });
    const order = (judge ? now.judged[number - 1] : unit ? [] : now.parts).map((part, t) => [part, now.words[t]]).sort(([a], [b]) => b - a);
    const list = (some) => some.filter(([, word], i) => some.findIndex(([, other]) => other === word) === i).slice(0, 5).map(([part, word]) => `${word} ${signed(part)}`).join(words.separator) || "–";
    const mean = Math.round(colours.reduce((sum, value) => sum + value, 0) / Math.max(colours.length - now.struck.length, 1));
    most = unit ? phrase(words.unit_mean, { unit: unit[0], share: signed(mean) }) : phrase(judge ? words.judged : words.most, {
      start: signed(now.start), best: list(order.filter(([part]) => part > 0)),
      worst: list(order.filter(([part]) => part < 0).reverse()) });
    drawStep();
  }

  /** Axes, as wide as there is room. */
  function drawFrame() {
    const width = Math.min(Math.max(el.clientWidth || 700, 300), 900), end = width - RIGHT, base = HEIGHT - BOTTOM;
    const n = totals.length - 1;
    const [low, high] = [Math.min(oddsOf(0.25), ...totals), Math.max(oddsOf(0.75), ...totals)];
    x = scale(0, Math.max(n, 1), LEFT, end);
    y = scale(low, high, base, TOP);
    svg.setAttribute("width", width);
    svg.setAttribute("aria-label", phrase(words.line, { before: percent(totals[0]), after: percent(totals.at(-1)) }));
    const places = [];
    const ticks = TICKS.filter((p) => {
      const place = y(oddsOf(p));
      if (oddsOf(p) < low - 1e-9 || oddsOf(p) > high + 1e-9 || places.some((other) => Math.abs(other - place) < SPACE)) return false;
      return places.push(place);
    });
    const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((every) => n <= 12 * every);
    const numbers = Array.from({ length: Math.floor(n / every) + 1 }, (_, i) => i * every);
    const top = y(oddsOf(about.unsure[1])), bottom = y(oddsOf(about.unsure[0]));
    redraw(frame,
      element("rect", { class: "kx-band", x: LEFT, y: top, width: end - LEFT, height: bottom - top }),
      element("text", { class: "kx-quiet", x: LEFT + 4, y: top + 12 }, words.unsure),
      ...ticks.flatMap((p) => [
        element("line", { class: "kx-tick", x1: LEFT, x2: end, y1: y(oddsOf(p)), y2: y(oddsOf(p)) }),
        element("text", { class: "kx-quiet", x: LEFT - 6, y: y(oddsOf(p)) + 4, "text-anchor": "end" }, `${digits(100 * p)}%`)]),
      ...numbers.map((t) => element("text", { class: "kx-quiet", x: x(t), y: base + 15, "text-anchor": "middle" }, t)),
      element("text", { class: "kx-quiet", x: (LEFT + end) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, `${words.axis} · ${words.states}`));
  }

  /** How far it has read, and the word that is pointed at. */
  function drawStep() {
    const n = now.words.length, at = pointed ?? step;
    reader.update(step, n);
    redraw(verdict, ...(!n ? [words.empty] : step < n ? [element("b", {}, phrase(words.so_far, { n: step, p: percent(totals[step]) }))] : [
      element("b", {}, phrase(words.verdict, { verdict: now.verdict, p: `${Math.round(100 / (1 + Math.exp(-totals.at(-1))))}%` })),
      element("span", { class: "kx-quiet" }, words.states), whole(0),
      element("span", { class: "kx-quiet" }, now.label === null ? words.none : phrase(words.label, { label: words.labels[now.label] }))]));
    others.style.visibility = step < n ? "hidden" : "";
    for (const span of text.children) {
      const t = Number(span.dataset.t);
      span.classList.toggle("kx-later", t > step);
      span.classList.toggle("kx-at", t === at && (pointed !== null || step < n));
    }
    total.setAttribute("d", path(0, step));
    rest.setAttribute("d", path(step, n));
    dot.setAttribute("cx", x(at));
    dot.setAttribute("cy", y(totals[at]));
    dot.classList.toggle("kx-above", totals[at] > 0);
    const number = model.get("colour"), judge = about.judges[number - 1], unit = about.units[number - 1 - about.judges.length];
    const which = !at ? words.start : now.struck.includes(at - 1) ? words.struck : judge ? words.alone : unit ? words.at_unit : words.word;
    told.textContent = pointed === null && step === n ? most : phrase(which, {
      word: now.words[at - 1], n: at, judge, unit: unit?.[0], share: signed(now.colours[number][at - 1] ?? 0),
      part: signed(!at ? totals[0] : judge ? now.judged[number - 1][at - 1] : now.parts[at - 1]),
      before: percent(totals[at - 1] ?? 0), after: percent(totals[at]) });
  }

  const point = (t) => {
    if (t === pointed) return;
    pointed = t;
    drawStep();
  };
  text.addEventListener("pointerover", ({ target }) => {
    const t = target.closest("[data-t]")?.dataset.t;
    if (t) point(Number(t));
  });
  text.addEventListener("click", ({ target }) => {
    const t = Number(target.closest("[data-t]")?.dataset.t) - 1, struck = model.get("struck");
    if (!(t >= 0)) return;
    model.set("struck", struck.includes(t) ? struck.filter((other) => other !== t) : [...struck, t]);
    model.save_changes();
  });
  svg.addEventListener("pointermove", ({ clientX }) => point(Math.round(x.inverse(clientX - svg.getBoundingClientRect().left))));
  for (const part of [text, svg]) part.addEventListener("pointerleave", () => point(null));

  drawText();
  const restore = () => { model.set("struck", []); model.save_changes(); };
  const endings = [follow(model, ["index"], restore), follow(model, ["texts", "index"], drawText), follow(model, ["colour"], drawColours)];
  const resized = new ResizeObserver(() => { drawFrame(); drawStep(); });
  resized.observe(el);
  return () => { resized.disconnect(); reader.stop(); for (const end of endings) end(); };
}

export default { render };
