// What the views of all explorers share. A view is this file followed by its own: no build step, no imports.
// Typed text is data: it reaches the page through textContent and attributes only.

const SVG_NAMES = new Set(["svg", "g", "rect", "circle", "line", "path", "text", "tspan", "title", "desc"]);

/** Make an element: attributes as they are written in HTML, `on` an object of listeners, children elements or text. */
function element(name, { on = {}, ...attributes } = {}, ...children) {
  const made = SVG_NAMES.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  made.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

/** Put other children into an element; whoever had the keyboard keeps it, known by its data-key. */
function redraw(parent, ...children) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...children.filter(Boolean));
  if (key !== undefined) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Fill the {names} of a sentence with values. */
function phrase(sentence, values = {}) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

/** The linear function that takes one interval to another, held inside it, with its inverse. */
function scale(from0, from1, to0, to1) {
  const hold = (x, a, b) => Math.min(Math.max(x, Math.min(a, b)), Math.max(a, b));
  const map = (x) => to0 + ((hold(x, from0, from1) - from0) / (from1 - from0)) * (to1 - to0);
  map.inverse = (y) => from0 + ((hold(y, to0, to1) - to0) / (to1 - to0)) * (from1 - from0);
  return map;
}

/** Three digits, with a true minus. */
function digits(x, n = 3) {
  return String(Number(x.toPrecision(n))).replace("-", "−");
}

/**
 * Buttons and a slider that step through something: back, play or pause, forward, scrub.
 *
 * `change(step)` is called with a whole number from 0 to `steps`; `words` names the four. The result has `element`,
 * `update(step, steps)`, which shows another place, `play()` and `stop()`.
 */
function player(change, words, milliseconds = 650) {
  let step = 0, steps = 0, timer = null;
  const go = (to) => change(Math.min(Math.max(to, 0), steps));
  const button = (label, sign, act) =>
    element("button", { type: "button", class: "kx-button", "aria-label": label, title: label, on: { click: act } }, sign);
  const stop = () => {
    clearInterval(timer);
    timer = null;
    show();
  };
  const play = () => {
    if (step >= steps) go(0);
    clearInterval(timer);
    timer = setInterval(() => (step >= steps || !slider.isConnected ? stop() : go(step + 1)), milliseconds);
    show();
  };
  const back = button(words.back, "◀", () => { stop(); go(step - 1); });
  const toggle = button(words.play, "▶", () => (timer === null ? play() : stop()));
  const next = button(words.next, "▶|", () => { stop(); go(step + 1); });
  const slider = element("input", {
    type: "range", class: "kx-scrub", min: 0, step: 1, "aria-label": words.scrub,
    on: { input: () => { const to = Number(slider.value); stop(); go(to); } }, // stopping shows the old place
  });
  const show = () => {
    slider.max = steps;
    slider.value = step;
    back.disabled = step <= 0;
    next.disabled = step >= steps;
    toggle.textContent = timer === null ? "▶" : "❚❚";
    toggle.title = timer === null ? words.play : words.pause;
    toggle.setAttribute("aria-label", toggle.title);
  };
  return {
    element: element("div", { class: "kx-player" }, back, toggle, next, slider),
    update(newStep, newSteps) { step = newStep; steps = newSteps; show(); },
    play,
    stop,
  };
}

/** Follow several traits of a model; the result ends it, as a view's `render` must return. */
function follow(model, names, listener) {
  const events = names.map((name) => `change:${name}`);
  for (const event of events) model.on(event, listener);
  return () => { for (const event of events) model.off(event, listener); };
}

/** Whether motion is welcome. */
const motion = () => !window.matchMedia?.("(prefers-reduced-motion: reduce)").matches;
