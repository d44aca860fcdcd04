// A kernel slides over a sentence: products and their sum where it stands, and the row of scores fills up.

/** The scores of all places: numbers under the kernel times its weights, added up; zero beyond the ends. */
function scoresOf(vectors, kernel) {
  return vectors.map((_, place) => products(vectors, kernel, place).flat().reduce((sum, x) => sum + x, 0));
}

/** For each row of the kernel that stands at a place, weight times number. */
function products(vectors, kernel, place) {
  const half = (kernel.length - 1) / 2;
  return kernel.map((weights, row) => weights.map((weight, d) => weight * (vectors[place + row - half]?.[d] ?? 0)));
}

function render({ model, el }) {
  const words = model.get("words"), depth = model.get("kernel")[0].length, width = model.get("kernel").length;
  const half = (width - 1) / 2;
  const save = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  };

  // The sentence as it is shown: one with a blank in front is a sentence like any other.
  const shown = () => {
    const blank = model.get("blank"), zeros = Array(depth).fill(0);
    return {
      characters: [...(blank ? ["␣"] : []), ...model.get("sentence")],
      glosses: [...(blank ? [words.gloss] : []), ...model.get("glosses")],
      vectors: [...(blank ? [zeros] : []), ...model.get("vectors")],
    };
  };
  const cell = (column, classes, ...children) =>
    element("div", { class: `kx-cell ${classes}`, style: `grid-column: ${column}` }, ...children);
  const label = (name) => element("div", { class: "kx-row-name kx-quiet" }, name);
  const stack = (numbers) => numbers.map((number) => element("div", {}, number));
  const bracket = (x) => (x < 0 ? `(${digits(x)})` : digits(x));

  // The weights are made once: whoever types into one must not lose it.
  const inputs = model.get("kernel").map((weights, row) => weights.map((_, d) => element("input", {
    type: "number", step: "any", class: "kx-weight", "aria-label": phrase(words.weight, { row: row + 1, column: d + 1 }),
    on: {
      input: (event) => {
        const value = Number(event.target.value); // nothing is 0
        const kernel = model.get("kernel").map((weights) => [...weights]);
        kernel[row][d] = value;
        save({ kernel, step: shown().vectors.length }); // all scores, to see all of them change
      },
      blur: () => draw(),
    },
  })));
  const kernel = element("div", { class: "kx-kernel" }, ...inputs.map((row) => element("div", { class: "kx-cell" }, ...row)));
  const grid = element("div", { class: "kx-grid" });
  const sum = element("p", { class: "kx-sum", "aria-live": "polite" });
  const note = element("p", { class: "kx-quiet" });
  const steps = player((step) => save({ step }), words, 900);
  const blank = element("input", { type: "checkbox", on: { change: () => {
    const on = blank.checked;
    save({ blank: on, step: model.get("sentence").length + Number(on) });
  } } });
  const reset = element("button", { type: "button", class: "kx-button", on: { click: () => {
    steps.stop();
    save({ kernel: model.get("start"), step: 1, blank: false });
  } } }, words.reset);

  const draw = () => {
    const { characters, glosses, vectors } = shown(), weights = model.get("kernel"), n = vectors.length;
    const step = Math.min(Math.max(model.get("step"), 0), n), place = Math.max(step, 1) - 1; // where the kernel stands
    const scores = scoresOf(vectors, weights), parts = products(vectors, weights, place);
    const column = (t) => t + 2 + half; // the first is for names, and the kernel reaches beyond the ends
    const under = (t) => Math.abs(t - place) <= half && "kx-under";
    const at = [...Array(n + 2 * half).keys()].map((i) => i - half);
    const inside = (t) => t >= 0 && t < n;
    const scoreRow = (name, values, filled, kind) => [
      label(name),
      ...values.map((score, t) => cell(
        column(t), `kx-score ${kind}${t < filled ? " kx-filled" : ""}${t === filled - 1 && kind ? " kx-now" : ""}`,
        t < filled && digits(score))),
    ];
    // From each score without the blank to the same score with it, one place on.
    const arrows = (n, filled) => element(
      "svg", { class: "kx-arrows", viewBox: `0 0 ${n} 1`, preserveAspectRatio: "none", "aria-hidden": "true",
        style: `grid-column: ${column(0)} / span ${n}` },
      ...[...Array(Math.max(filled - 1, 0)).keys()].map((t) =>
        element("line", { x1: t + 0.5, x2: t + 1.5, y1: 0, y2: 1 })));
    const rows = [
      [label(words.position), ...at.filter(inside).map((t) => cell(column(t), "kx-quiet", t + 1))],
      [label(words.sentence), ...at.map((t) => cell(
        column(t), ["kx-character", under(t), !inside(t) && "kx-edge"].filter(Boolean).join(" "),
        element("div", { lang: "zh", class: "kx-glyph" }, inside(t) ? characters[t] : "·"),
        element("div", { class: "kx-quiet" }, inside(t) ? glosses[t] : words.edge)))],
      [label(words.numbers), ...at.map((t) => cell(
        column(t), [under(t), !inside(t) && "kx-edge"].filter(Boolean).join(" "),
        ...stack((vectors[t] ?? Array(depth).fill(0)).map((x) => digits(x)))))],
      [label(words.kernel), kernel],
      [label(words.products), ...parts.map((row, i) => cell(
        column(place - half + i), "kx-product", ...stack(row.map((x, d) =>
          `${bracket(vectors[place - half + i]?.[d] ?? 0)}×${bracket(weights[i][d])} = ${digits(x)}`))))],
      ...(model.get("blank")
        ? [scoreRow(words.before, scoresOf(model.get("vectors"), weights), n, ""), [arrows(n, step)],
          scoreRow(words.after, scores, step, "kx-main")]
        : [scoreRow(words.score, scores, step, "kx-main")]),
    ];
    grid.style.setProperty("--columns", n + 2 * half);
    // Only what surrounds the kernel is made anew.
    const active = document.activeElement;
    for (const old of [...grid.children]) if (old !== kernel) old.remove();
    rows.forEach((row, i) => row.forEach((part) => {
      part.style.gridRow = i + 1;
      if (part !== kernel) grid.append(part);
    }));
    if (!kernel.isConnected) grid.append(kernel);
    if (active?.isConnected && active !== document.activeElement) active.focus({ preventScroll: true });
    kernel.style.gridColumn = `2 / span ${width}`;
    kernel.style.setProperty("--place", place);
    inputs.forEach((row, i) => row.forEach((input, d) => {
      if (input !== document.activeElement) input.value = weights[i][d];
    }));
    const sums = parts.map((row) => bracket(row.reduce((total, x) => total + x, 0))).join(" + ");
    sum.textContent = phrase(words.sum, {
      place: place + 1, character: characters[place], products: sums, score: digits(scores[place]) });
    note.textContent = model.get("blank") ? words.shift : words.hint;
    blank.checked = model.get("blank");
    steps.update(step, n);
  };

  /** The window follows the finger. */
  let held = false;
  const slide = ({ clientX }) => {
    const cells = [...grid.querySelectorAll(".kx-character")], n = shown().vectors.length;
    const at = cells.findIndex((one) => clientX < one.getBoundingClientRect().right);
    steps.stop();
    save({ step: Math.min(Math.max((at < 0 ? cells.length : at) - half + 1, 1), n) });
  };
  grid.addEventListener("pointerdown", (event) => {
    if (event.target.closest("input")) return;
    held = true;
    grid.setPointerCapture(event.pointerId);
    slide(event);
  });
  grid.addEventListener("pointermove", (event) => { if (held) slide(event); });
  for (const name of ["pointerup", "pointercancel"]) grid.addEventListener(name, () => { held = false; });

  el.classList.add("kx");
  grid.classList.toggle("kx-moves", motion());
  el.append(
    element("div", { class: "kx-bar" }, steps.element, element("label", {}, blank, " ", words.blank), reset),
    element("div", { class: "kx-scroll" }, grid), sum, note);
  draw();
  const end = follow(model, ["kernel", "step", "blank"], draw);
  return () => { steps.stop(); end(); };
}

export default { render };
