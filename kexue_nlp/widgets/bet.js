// A question, one button per option, and what came of the choice, in words.

function render({ model, el }) {
  const words = model.get("words");
  const choose = (index) => {
    model.set("choice", index);
    model.save_changes();
  };
  const buttons = model.get("options").map((option, index) => {
    const name = element("span", {}, option), note = element("span", { class: "kx-bet-note" });
    const button = element(
      "button", { type: "button", class: "kx-bet-option", "data-key": index, on: { click: () => choose(index) } }, name, note);
    return { button, note };
  });
  const result = element("p", { class: "kx-bet-result", role: "status", "aria-live": "polite" });

  const draw = () => {
    const choice = model.get("choice"), answer = model.get("answer");
    const known = choice !== null && choice !== undefined;
    buttons.forEach(({ button, note }, index) => {
      button.setAttribute("aria-pressed", String(index === choice));
      button.classList.toggle("kx-right", known && index === answer);
      button.classList.toggle("kx-wrong", known && index === choice && index !== answer);
      const notes = [known && index === answer && `✓ ${words.mark}`, index === choice && words.bet];
      note.textContent = notes.filter(Boolean).join(" · ");
    });
    result.classList.toggle("kx-quiet", !known);
    all.classList.toggle("kx-bet-open", !known);
    if (!known) return void (result.textContent = words.hint);
    const right = choice === answer;
    const told = phrase(words.answer, { answer: model.get("options")[answer] });
    result.textContent = [right ? words.right : words.wrong, !right && told, model.get("why")].filter(Boolean).join(" ");
  };

  el.classList.add("kx");
  const all = element(
    "fieldset", { class: "kx-bet" },
    element("legend", {}, model.get("question")), ...buttons.map(({ button }) => button), result);
  el.append(all);
  draw();
  return follow(model, ["choice"], draw);
}

export default { render };
