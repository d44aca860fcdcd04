// A view alone in a page: shows it with a stand-in for its model, which has what anywidget gives to views.
// `window.models` holds the stand-ins, and each in `sent` what would have gone to the kernel.
class Model {
  constructor(state, live) {
    Object.assign(this, { state, sent: [], listeners: [], comm: live ? {} : undefined });
    this.widget_manager = { get_model: async () => this };
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
    this.state[name] = value;
    this.tell(`change:${name}`);
  }
  on(event, listener) { this.listeners.push([event, listener]); }
  off(event, listener) { this.listeners = this.listeners.filter(([one, other]) => one !== event || other !== listener); }
  tell(event, ...values) { for (const [one, listener] of [...this.listeners]) if (one === event) listener(...values); }
  save_changes() {}
  send(content) { this.sent.push(content); }
}

/** Bytes arrive from the kernel as views; here they come in base 64. */
function revive(value) {
  if (Object.prototype.toString.call(value) !== "[object Object]") return value;
  if ("base64" in value) return new DataView(Uint8Array.from(atob(value.base64), (letter) => letter.charCodeAt(0)).buffer);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revive(inner)]));
}

window.show = async (state, live) => {
  state = revive(state);
  const model = new Model(state, live), el = document.createElement("div"), style = document.createElement("style");
  style.textContent = state._css ?? "";
  document.head.append(style);
  document.body.append(el);
  (window.models ??= []).push(model);
  const source = new Blob([state._esm], { type: "text/javascript" });
  model.end = await (await import(URL.createObjectURL(source))).default.render({ model, el });
};

/** Answer as the kernel does to who asks for the font. */
window.lend = (font) => {
  const { buffer } = Uint8Array.from(atob(font), (letter) => letter.charCodeAt(0));
  window.models[0].tell("msg:custom", { kexue: "font" }, [new DataView(buffer)]);
};
