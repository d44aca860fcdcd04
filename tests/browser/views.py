"""A view alone in a page: its JavaScript and a small stand-in for its model. No JupyterLab, no kernel, in no time."""

import json
from dataclasses import dataclass

from playwright.sync_api import Page

# The interface that anywidget gives to a view. `window.views` are the models; `sent` is what went to the kernel.
MODEL = """
class Model {
  constructor(state, live) {
    Object.assign(this, { state, sent: [], listeners: new Map(), comm: live ? {} : undefined, live });
    this.widget_manager = { get_model: async () => this };
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
    this.state[name] = value;
    this.tell(`change:${name}`);
  }
  on(event, listener) { this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]); }
  off(event, listener) { this.listeners.set(event, (this.listeners.get(event) ?? []).filter((one) => one !== listener)); }
  tell(event, ...values) { for (const listener of this.listeners.get(event) ?? []) listener(...values); }
  save_changes() {}
  send(content) { this.sent.push(content); }
}
async (state, live) => {
  const model = new Model(state, live), el = document.createElement("div");
  const style = document.createElement("style");
  style.textContent = state._css ?? "";
  document.head.append(style);
  document.body.append(el);
  const source = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
  const view = (await import(source)).default;
  (window.views ??= []).push(model);
  model.end = await view.render({ model, el });
}
"""


@dataclass
class Alone:
    """A page with views in it."""

    page: Page

    def show(self, view, live: bool = True) -> None:
        """Show a view, of Python, with a kernel that hears it or without one."""
        setup, _, show = MODEL.rpartition("\nasync ")
        state = json.dumps({name: value for name, value in view.get_state().items() if name != "layout"})
        self.page.evaluate(f"() => {{ {setup}\n return (async {show})({state}, {json.dumps(live)}) }}")

    def set(self, name: str, value: object, view: int = -1) -> None:
        """Change a trait, as Python or a link does."""
        self.page.evaluate("([name, value, view]) => window.views.at(view).set(name, value)", [name, value, view])

    def get(self, name: str, view: int = -1) -> object:
        """Return a trait."""
        return self.page.evaluate("([name, view]) => window.views.at(view).get(name)", [name, view])
