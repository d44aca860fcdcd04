// Who is praised and who is blamed, large; below, what it comes from: the sentence, the list of names, and the tags.

const SIGNS = { pos: "+", neu: "○", neg: "−" };
const LABEL = 96, CELL = 34, LINE = 27; // pixels of the heat maps

function render({ model, el }) {
  const words = model.get("words");
  const zh = (name, ...rest) => element("span", { lang: "zh", class: name }, ...rest);
  const set = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  };

  /** What is said of one name. Whoever is not sure says perhaps, in a dashed frame. */
  function card({ name, polarity, probability, sure, shares }, i) {
    const said = words.said[polarity], point = (at) => () => { if (shares) set({ pointed: at }); };
    const each = Object.entries(shares ?? {}), title = each.length && phrase(words.shares, Object.fromEntries(each.map(([one, p]) => [one, p.toFixed(2)])));
    return element("div", {
      class: `kx-card kx-${polarity} ${sure ? "" : "kx-unsure"}`, tabindex: shares ? 0 : null, "data-key": `card ${i}`, title: title || null,
      on: { pointerenter: point(i), focus: point(i), pointerleave: point(-1), blur: point(-1) },
    },
      element("div", {}, zh("kx-name", name)),
      element("div", { class: "kx-verdict" }, `${SIGNS[polarity]} ${sure ? said : phrase(words.perhaps, { said })}`),
      element("div", { class: "kx-quiet" }, phrase(words.sure, { p: probability.toFixed(2) })),
      shares && element("div", { class: "kx-shares", role: "img", "aria-label": title },
        ...each.map(([one, p]) => element("span", { class: `kx-${one}`, style: `width: ${100 * p}%` }))));
  }

  function drawVerdicts({ verdicts, dropped }) {
    let n = 0; // cards so far
    const lines = Object.entries(verdicts).flatMap(([judge, { mentions, more }]) => [
      judge && element("div", { class: "kx-quiet" }, judge),
      element("div", { class: "kx-cards", role: "status" },
        ...(mentions.length ? mentions.map((mention) => card(mention, n++)) : [words.nothing]),
        more > 0 && element("span", { class: "kx-quiet" }, phrase(words.more, { count: more })))]);
    const forced = dropped.length && element("p", { lang: "zh" }, phrase(words.dropped, { names: dropped.join(" ") }));
    redraw(top, ...lines, forced);
  }

  function drawSentence({ characters, left, verdicts }) {
    const parts = [], why = model.get("why");
    const at = why.length && Object.values(verdicts).flatMap(({ mentions }) => mentions)[model.get("pointed")];
    if (at) {
      const coloured = characters.map((character, t) => element("span", {
        class: t >= at.start && t < at.end && "kx-at",
        style: `background: color-mix(in srgb, var(--kx-${why[t] < 0 ? "grey" : "said"}) ${Math.round(80 * Math.abs(why[t] ?? 0))}%, transparent)`,
      }, character));
      return redraw(sentence, element("bdi", { class: `kx-${at.polarity}` }, ...coloured));
    }
    let place = 0;
    for (const { start, end, polarity, sure } of verdicts[""].mentions) {
      if (end > characters.length) break;
      parts.push(characters.slice(place, start).join(""),
        element("mark", { class: `kx-${polarity} ${sure ? "" : "kx-unsure"}` }, characters.slice(start, end).join("")));
      place = end;
    }
    parts.push(characters.slice(place).join(""));
    redraw(sentence, element("bdi", {}, ...parts), left > 0 && element("span", { class: "kx-quiet" }, ` ${phrase(words.cut, { left })}`));
  }

  // -- the list of names --
  const box = element("input", {
    type: "text", class: "kx-box", placeholder: words.box, "aria-label": words.box, lang: "zh",
    on: { input: () => allow(), keydown: ({ key, isComposing }) => { if (key === "Enter" && !isComposing) add(); } },
  });
  const button = element("button", { type: "button", class: "kx-button", disabled: true, on: { click: () => add() } }, words.add);
  let said = ""; // the sentence that the box belongs to
  const allow = () => { button.disabled = !/[\p{L}\p{N}]/u.test(box.value); };
  function add() {
    const name = box.value.trim(), added = model.get("added"), removed = model.get("removed");
    if (button.disabled) return;
    const other = (one) => one.toLowerCase() !== name.toLowerCase();
    set({ added: [...added.filter(other), name], removed: removed.filter(other) });
    box.value = "";
    allow();
  }
  const pick = () => { // what is selected in the sentence is a name to add
    const picked = String(document.getSelection());
    if (!picked.trim() || !sentence.contains(document.getSelection().anchorNode)) return;
    box.value = picked.trim();
    allow();
  };

  function drawNames({ known, gone, characters }) {
    if (said !== characters.join("")) {
      said = characters.join("");
      box.value = "";
      allow();
    }
    const chip = (name, off) => element("button", {
      type: "button", lang: "zh", class: `kx-button ${off ? "kx-gone" : ""}`, "data-key": `name ${name}`,
      "aria-label": phrase(off ? words.restore : words.remove, { name }), title: phrase(off ? words.restore : words.remove, { name }),
      on: { click: () => (off ? restore(name) : remove(name)) },
    }, `${name} ${off ? "+" : "×"}`);
    redraw(names, element("span", { class: "kx-quiet" }, `${known.length + gone.length ? words.known : words.none} `),
      ...known.map((name) => chip(name, false)), ...gone.map((name) => chip(name, true)));
  }
  const restore = (name) => set({ removed: model.get("removed").filter((one) => one !== name) });
  const remove = (name) => set({ removed: [...model.get("removed"), name] });

  // -- heat maps --
  function drawMap({ p, path, bonuses, cuts }, title, characters) {
    const x = (t) => CELL * t, y = (tag) => 26 + LINE * tag, n = p.length, height = y(4) + 2;
    const labels = element("svg", { class: "kx-labels", width: LABEL, height },
      ...words.tags.map((name, tag) => element("text", { x: LABEL - 8, y: y(tag) + 18, "text-anchor": "end" }, `${name} ${tag}`)));
    const cells = p.flatMap((row, t) => row.map((value, tag) => {
      const bonus = bonuses[t][tag];
      const what = `${characters[t]} ${words.tags[tag]} ${value.toFixed(2)}`;
      return element("g", {},
        element("title", {}, bonus ? `${what}, ${phrase(words.bonus, { x: (bonus > 0 ? "+" : "") + digits(bonus) })}` : what),
        element("rect", { x: x(t) + 1, y: y(tag) + 1, width: CELL - 2, height: LINE - 2, class: "kx-cell", "fill-opacity": value }),
        bonus && element("rect", { x: x(t) + 2, y: y(tag) + 2, width: CELL - 4, height: LINE - 4, class: "kx-added" }));
    }));
    const centre = (t) => [x(t) + CELL / 2, y(path[t]) + LINE / 2];
    const svg = element("svg", { width: x(n) + 2, height, role: "img", "aria-label": `${title}: ${path.join("")}` },
      ...characters.slice(0, n).map((character, t) => element("text", { lang: "zh", class: "kx-letter", x: x(t) + CELL / 2, y: 19, "text-anchor": "middle" }, character)),
      ...cells,
      ...cuts.filter((t) => t < n).map((t) => element("path", { class: "kx-cut", d: `M${x(t)} 24V${height}` })),
      element("path", { class: "kx-path", d: `M${path.map((tag, t) => centre(t).join(" ")).join("L")}` }),
      ...path.flatMap((tag, t) => [
        element("circle", { class: "kx-place", cx: centre(t)[0], cy: centre(t)[1], r: 10 }),
        element("text", { class: "kx-digit", x: centre(t)[0], y: centre(t)[1] + 5, "text-anchor": "middle" }, tag)]));
    return [element("div", {}, element("b", {}, title)),
      element("div", { class: "kx-map" }, labels, element("div", { class: "kx-scroll" }, svg))];
  }

  function drawMaps({ maps, characters, left }) {
    const n = maps[0].p.length, first = n < characters.length + left && phrase(words.first, { n });
    const equal = maps.length > 1 && maps[0].path.join() === maps[1].path.join() && maps[0].cuts.join() === maps[1].cuts.join() && !maps[1].bonuses.flat().some(Boolean);
    redraw(below, element("div", { class: "kx-quiet" }, [words.why, words.map, maps.some(({ bonuses }) => bonuses.flat().some(Boolean)) && words.frames, first].filter(Boolean).join(" ")),
      ...(n ? maps.slice(0, equal ? 1 : 2).flatMap((map, i) => drawMap(map, equal ? words.same : [words.network, words.after][i], characters)) : []));
    const both = [...below.querySelectorAll(".kx-scroll")];
    for (const one of both) one.addEventListener("scroll", () => { for (const other of both) other.scrollLeft = one.scrollLeft; });
  }

  const top = element("div"), sentence = element("p", { class: "kx-text", lang: "zh", on: { pointerup: pick, keyup: pick } });
  const names = element("div", { class: "kx-names kexue-needs-kernel" }), below = element("div");
  el.classList.add("kx");
  el.append(sentence, top, names, element("div", { class: "kx-names kexue-needs-kernel" }, box, button), below);
  const draw = () => {
    const shown = model.get("shown");
    for (const part of [drawVerdicts, drawSentence, drawNames, drawMaps]) part(shown);
  };
  draw();
  const ends = [follow(model, ["shown"], draw), follow(model, ["why"], () => drawSentence(model.get("shown")))];
  return () => ends.forEach((end) => end());
}

export default { render };
