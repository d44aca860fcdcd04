// What every view does for the page it appears in, and for what it stands for: the widget whose model id is `shows`.

const KEXUE_FONT = "Kexue Sans SC";

/** Add a rule to the page, once. */
function addRule(rule) {
  let style = document.getElementById("kexue-rules");
  if (!style) document.head.append((style = Object.assign(document.createElement("style"), { id: "kexue-rules" })));
  if (!style.textContent.includes(rule)) style.append(`${rule}\n`);
}

/** Whether the browser can draw Chinese. Boxes in place of characters look alike, or are at least equally high. */
function drawsChinese() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 40 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const ink = (character) => {
    pen.clearRect(0, 0, 40, 40);
    pen.font = "24px sans-serif";
    pen.fillText(character, 4, 30);
    const pixels = pen.getImageData(0, 0, 40, 40).data;
    const rows = [...Array(40).keys()].filter((y) => pixels.subarray(y * 160, y * 160 + 160).some((value) => value));
    return { pixels: pixels.join(), height: rows.length && rows.at(-1) - rows[0] + 1 };
  };
  const [one, small, letter, unassigned] = ["一", "微", "信", "\u0378"].map(ink);
  const distinct = new Set([small.pixels, letter.pixels, unassigned.pixels]).size === 3;
  return distinct && one.height < small.height / 2;
}

/** Ask the kernel for the package's font, for Chinese and signs, and put it before the fonts that the page has.
 *
 * Behind them it would not be asked: Chromium stops at a generic name such as system-ui or monospace. */
async function borrowFont(model) {
  const font = await new Promise((resolve) => {
    model.on("msg:custom", (content, buffers) => { if (content?.kexue === "font") resolve(buffers[0]); });
    model.send({ kexue: "font" });
  });
  const face = new FontFace(KEXUE_FONT, font, { unicodeRange: "U+2190-9FFF, U+F900-FAFF, U+FE30-FE4F, U+FF00-FFEF" });
  document.fonts.add(await face.load());
  const page = getComputedStyle(document.documentElement);
  const stacks = ["ui", "content", "code"].map((part) => `--jp-${part}-font-family`).map((name) => {
    const stack = page.getPropertyValue(name).trim();
    return stack && `${name}: "${KEXUE_FONT}", ${stack};`;
  });
  addRule(`html:root { ${stacks.join(" ")} }`);
  addRule(`html body { font-family: "${KEXUE_FONT}", ${getComputedStyle(document.body).fontFamily}; }`);
  addRule("html :is(input, textarea, select, button) { font-family: inherit; }");
  return true;
}

/** Whether something that a widget shows is drawn in the page, and so works without a kernel. */
function drawnInPage(model) {
  if (model.get("_model_module") === "anywidget") return !model.get("_anywidget_id").endsWith(".Page");
  return (model.get("children") ?? []).some(drawnInPage);
}

/**
 * Give the page its font, hide the static picture and, where there is no kernel, what needs one. Returns what ends it.
 *
 * A kernel is there if the widget has a comm: not in a page made of stored state.
 */
function arrive({ model, el }) {
  const id = model.get("shows");
  let mine = null;
  (async () => {
    const shown = await model.widget_manager?.get_model?.(id);
    const live = !shown || Boolean(shown.comm);
    if (live && !window.kexueFont) {
      mine = window.kexueFont = drawsChinese() ? Promise.resolve(false) : borrowFont(model);
      mine.then(() => { mine = null; });
    }
    const still = `[data-kexue-still="${CSS.escape(id)}"]`;
    const works = live || drawnInPage(shown);
    if (works) addRule(`${still}, .jp-OutputArea-child:has(> .jp-RenderedHTML > ${still}) { display: none; }`);
    if (live) return;
    addRule(".kx-no-kernel .kexue-needs-kernel { display: none !important; }");
    while (!el.isConnected) await new Promise(requestAnimationFrame);
    const root = el.closest(".kexue") ?? el;
    root.classList.add("kx-no-kernel");
    if (!works && document.querySelector(still)) root.style.display = "none"; // it would be the same, but dead
  })();
  return () => { if (mine) window.kexueFont = undefined; }; // the answer will not be heard: let another ask
}

/** A view that also does for the page what is said above. */
function shared(view) {
  return {
    ...view,
    async render(context) {
      const end = await view.render?.(context), leave = arrive(context);
      return () => { leave(); end?.(); };
    },
  };
}
