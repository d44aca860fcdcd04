// Every training review is a dot, the farther right the surer a network is of its label; below, what the loss makes of it.

const EDGE = 14, LANE = 92, CURVE = 130, MOST = 3; // pixels, and the largest loss that is drawn
const MILLISECONDS = 450; // from one epoch to the next

/** Whether a review is not yet right by the margin. */
const isActive = (label, p, m) => (label ? p <= m : p >= 1 - m);

const floats = ({ buffer, byteOffset, byteLength }) => new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));

function render({ model, el }) {
  const words = model.get("words"), labels = model.get("labels"), n = labels.byteLength, ends = model.get("ends");
  const runs = model.get("names").map((name) => ({ name, ...model.get("runs")[name], p: floats(model.get("runs")[name].p) })), epochs = runs[0].accuracy.length;
  const label = (i) => labels.getUint8(i), at = (run, epoch, i) => run.p[(epoch - 1) * n + i];
  const sure = (run, epoch, i) => (label(i) ? at(run, epoch, i) : 1 - at(run, epoch, i));
  const isOn = (run, i, m, when = epoch) => isActive(label(i), at(run, when, i), m);
  const isBack = (run, i, m, when = epoch) => isOn(run, i, m, when) && when > 1 && !isOn(run, i, m, when - 1);
  let x = scale(0, 1, 0, 1), width = 0, epoch = model.get("epoch"), before = epoch, done = 1, frame = null; // share of a move
  let listed = [], pointed = null; // numbers of the reviews in the table, and of the dot under the pointer

  const set = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  };
  const chosen = () => (model.get("review") < 0 ? null : model.get("review"));
  const steps = player((to) => set({ epoch: to + 1 }), words.player, 900);
  const lanes = runs.map((run) => {
    const canvas = element("canvas", { class: "kx-dots" }), svg = element("svg", { class: "kx-over", height: LANE });
    const rings = element("g");
    const head = element("div", { class: "kx-head", role: "status" });
    const lane = element("div", { class: "kx-lane" }, canvas, svg);
    touch(lane, run);
    return { run, canvas, svg, rings, head, lane };
  });
  const curve = element("svg", { role: "img", height: CURVE });
  const curves = element("div", { class: "kx-lane" }, curve);
  touch(curves);
  const list = element("table", { class: "kexue-reviews" }), reading = element("div", { class: "kx-reading" });
  el.classList.add("kx");
  const when = element("span", { class: "kx-quiet" });
  steps.element.append(when);
  el.append(steps.element, element("div", { class: "kx-quiet" }, words.legend), reading,
    ...lanes.flatMap(({ head, lane }) => [head, lane]), element("div", { class: "kx-quiet" }, words.loss), curves, list);

  /** Near its line the margin is dragged; elsewhere the nearest dot is pointed at, and a click keeps it. */
  function touch(part, run) {
    const near = (left) => Math.abs(left - x(model.get("margin"))) < 8;
    let dragged = false, slid = false;
    const spot = ({ clientX, clientY }) => {
      const box = part.getBoundingClientRect();
      return [clientX - box.left, clientY - box.top];
    };
    part.addEventListener("pointerdown", (event) => {
      [dragged, slid] = [near(spot(event)[0]), false];
      if (dragged) part.setPointerCapture(event.pointerId);
    });
    part.addEventListener("pointermove", (event) => {
      const [left, top] = spot(event);
      if (dragged && event.buttons) {
        [slid, pointed] = [true, null];
        return set({ margin: Math.min(0.99, Math.max(0.51, Math.round(100 * x.inverse(left)) / 100)) });
      }
      part.style.cursor = near(left) ? "ew-resize" : run ? "pointer" : "";
      pointAt(run ? dotAt(run, left, top) : null);
    });
    part.addEventListener("pointerup", (event) => {
      if (run && !slid) set({ lane: runs.indexOf(run), review: dotAt(run, ...spot(event)) ?? -1 });
      dragged = false;
    });
    part.addEventListener("pointerleave", () => pointAt(null));
  }

  function pointAt(review) {
    if (pointed === review) return;
    pointed = review;
    drawReading();
    drawRings();
  }

  /** Positive reviews lie above negative ones; where in their half, their number decides. */
  function place(run, i) {
    const half = LANE / 2 - 3, q = sure(run, before, i) + (sure(run, epoch, i) - sure(run, before, i)) * done;
    return [x(q), (label(i) ? 1 : LANE / 2 + 2) + ((i * 0.618034) % 1) * half];
  }

  function dotAt(run, left, top, most = 9) {
    let best = most, found = null;
    for (let i = 0; i < n; i++) {
      const [x1, y1] = place(run, i), distance = Math.hypot(x1 - left, y1 - top);
      if (distance < best) [best, found] = [distance, i];
    }
    return found;
  }

  /** The same review in every lane; thin rings: those in the table. */
  function drawRings() {
    for (const { run, rings } of lanes) {
      const ring = (i, radius, name) => {
        const [cx, cy] = place(run, i);
        return element("circle", { cx, cy, r: radius, class: name });
      };
      redraw(rings, ...(runs[model.get("lane")] === run ? listed.map((i) => ring(i, 4.5, "kx-listed")) : []),
        ...[...new Set([chosen(), pointed])].filter((i) => i !== null).map((i) => ring(i, 7, "kx-chosen")));
    }
  }

  /** Those that can be shown and are nearest to the margin: two just let go, two still active. */
  function nearest(run) {
    const m = model.get("margin");
    const order = [...Array(n).keys()].filter((i) => ends[i]).map((i) => [Math.abs(sure(run, epoch, i) - m), i]).sort(([a], [b]) => a - b);
    return [false, true].flatMap((on) => order.filter(([, i]) => isActive(label(i), at(run, epoch, i), m) === on).slice(0, 2).map(([, i]) => i));
  }

  function drawDots() {
    const m = model.get("margin"), style = getComputedStyle(el), ratio = devicePixelRatio || 1, when = done < 0.5 ? before : epoch;
    const colour = (name) => style.getPropertyValue(`--kx-${name}`).trim();
    for (const { run, canvas } of lanes) {
      const groups = { grey: [], orange: [], blue: [], purple: [] };
      for (let i = 0; i < n; i++) {
        groups[!isOn(run, i, m, when) ? "grey" : isBack(run, i, m, when) ? "purple" : ["orange", "blue"][label(i)]].push(i);
      }
      Object.assign(canvas, { width: width * ratio, height: LANE * ratio });
      const pen = canvas.getContext("2d"), blue = getComputedStyle(canvas).color; // brighter where it is dark
      pen.scale(ratio, ratio);
      for (const [name, some] of Object.entries(groups)) {
        pen.fillStyle = name === "blue" ? blue : colour(name);
        pen.globalAlpha = name === "grey" ? 0.45 : 0.9;
        const size = name === "purple" ? 4 : 3;
        for (const i of some) {
          const [left, top] = place(run, i);
          pen.fillRect(left - size / 2, top - size / 2, size, size);
        }
      }
    }
    drawRings();
  }

  /** How many there are of each colour. */
  function drawHeads() {
    const m = model.get("margin");
    for (const { run, head } of lanes) {
      const on = [...Array(n).keys()].filter((i) => isOn(run, i, m)), positive = on.filter(label).length;
      redraw(head, element("b", {}, run.name), ` ${phrase(words.head, {
        on: on.length.toLocaleString("en"), n: n.toLocaleString("en"), positive: positive.toLocaleString("en"), negative: (on.length - positive).toLocaleString("en"), m: m.toFixed(2),
        back: on.filter((i) => isBack(run, i, m)).length, accuracy: (100 * run.accuracy[epoch - 1]).toFixed(1) })}`);
    }
  }

  /** The margin's line and the ground of what is let go, in every lane, and the loss on the same axis. */
  function drawFrames() {
    const m = model.get("margin"), y = scale(0, MOST, CURVE - 34, 6);
    const shared = (height) => [
      element("rect", { class: "kx-let-go", x: x(m), y: 0, width: x(1) + EDGE - x(m), height }),
      element("line", { class: "kx-half", x1: x(0.5), x2: x(0.5), y1: 0, y2: height }),
      element("line", { class: "kx-margin", x1: x(m), x2: x(m), y1: 0, y2: height })];
    for (const { run, svg, rings } of lanes) {
      const own = run.margin && element("path", { class: "kx-trained", d: `M${x(run.margin)} ${LANE - 9}l6 9h-12z` });
      redraw(svg, ...shared(LANE), rings, own, element("line", { class: "kx-tick", x1: 0, x2: width, y1: LANE / 2, y2: LANE / 2 }),
        element("text", { class: "kx-quiet", x: 4, y: 13 }, words.labels[1]), element("text", { class: "kx-quiet", x: 4, y: LANE - 5 }, words.labels[0]));
    }
    const line = (from, to) => `M${Array.from({ length: 81 }, (_, i) => from + ((to - from) * i) / 80)
      .map((q) => `${x(q).toFixed(1)} ${y(-Math.log(q)).toFixed(1)}`).join("L")}`;
    const least = Math.exp(-MOST), base = y(0);
    redraw(curve, ...shared(base),
      element("path", { class: "kx-entropy", d: line(least, 1) }),
      element("path", { class: "kx-loss", d: line(least, m) }),
      element("path", { class: "kx-loss", d: `M${x(m)} ${base}H${x(1)}` }),
      ...[0, 0.2, 0.4, 0.6, 0.8, 1].map((q) => element("text", { class: "kx-quiet", x: x(q), y: base + 14, "text-anchor": "middle" }, q)),
      element("text", { class: "kx-quiet", x: width / 2, y: CURVE - 4, "text-anchor": "middle" }, words.axis),
      element("text", { class: "kx-quiet", x: x(0.5) - 6, y: base - 6, "text-anchor": "end" }, words.wrong),
      element("text", { x: x(m) + 5, y: 16, ...(m > 0.9 && { x: x(m) - 5, "text-anchor": "end" }) }, `m = ${m.toFixed(2)}`));
    curve.setAttribute("aria-label", phrase(words.curve, { m: m.toFixed(2) }));
    for (const svg of [curve, ...lanes.map((lane) => lane.svg)]) svg.setAttribute("width", width);
  }

  /** What the dot says that is pointed at, or has been chosen. */
  function drawReading() {
    const i = pointed ?? chosen();
    if (i === null) return redraw(reading, element("span", { class: "kx-quiet" }, words.point));
    const found = runs.map((run) => `${run.name} ${sure(run, epoch, i).toFixed(4)}`).join(" · ");
    redraw(reading, element("div", { class: "kx-quiet" }, phrase(words.found, { label: words.labels[label(i)], found })),
      element("div", { class: "kx-end", lang: "en", dir: "ltr" }, ends[i] ?? words.unfit));
  }

  function drawList() {
    const run = runs[model.get("lane")], m = model.get("margin");
    const line = (i, name) => element("tr", {}, ...(i === undefined ? ["–", "", "", ""] : [
      name, sure(run, epoch, i).toFixed(4), element("div", { lang: "en", dir: "ltr" }, ends[i]), words.labels[label(i)],
    ]).map((cell) => element("td", {}, cell)));
    listed = nearest(run);
    const off = listed.filter((i) => !isOn(run, i, m)), on = listed.slice(off.length);
    const rows = [...off, ...Array(2 - off.length), ...on, ...Array(2 - on.length)];
    redraw(list, element("tr", {}, ...[run.name, words.p, words.ends, words.label].map((title) => element("th", {}, title))),
      ...rows.map((i) => line(i, isOn(run, i ?? 0, m) ? words.on : words.off)));
  }

  function draw() {
    steps.update(epoch - 1, epochs - 1);
    when.textContent = phrase(words.when, { epoch, epochs });
    drawHeads();
    drawReading();
    drawList();
    drawFrames();
    drawDots();
  }

  /** Let the dots run to where they are after another epoch. */
  function run() {
    cancelAnimationFrame(frame);
    const began = performance.now();
    const go = (now) => {
      done = Math.min(1, Math.max(0, (now - began) / MILLISECONDS));
      drawDots();
      if (done < 1) frame = requestAnimationFrame(go);
    };
    [before, epoch, done] = [epoch, model.get("epoch"), motion() ? 0 : 1]; // one on its way goes on from where it was to go
    draw();
    if (done < 1) frame = requestAnimationFrame(go);
  }
  function resize() {
    width = Math.min(Math.max(el.clientWidth || 700, 300), 900);
    x = scale(0, 1, EDGE, width - EDGE);
    draw();
  }
  const endings = [follow(model, ["margin", "lane", "review"], draw), follow(model, ["epoch"], run)];
  const resized = new ResizeObserver(resize);
  resized.observe(el);
  return () => { resized.disconnect(); steps.stop(); cancelAnimationFrame(frame); for (const end of endings) end(); };
}

export default { render };
