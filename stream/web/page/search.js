// The search field: a combobox over the ids of users and items.

import { element } from "./format.js";

const WAIT_MS = 150;

/** @param ask gives {users, items} for a text; @param onPick told {user} or {item} */
export function search(input, list, ask, onPick) {
  let options = [], at = -1, timer = 0, asked = 0;

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark(next) {
    at = next;
    options.forEach((option, i) => option.row.setAttribute("aria-selected", String(i === at)));
    if (at < 0) return;
    input.setAttribute("aria-activedescendant", options[at].row.id);
    options[at].row.scrollIntoView({ block: "nearest" });
  }

  function pick(option) {
    close();
    input.value = "";
    input.blur();
    onPick(option.hit);
  }

  function show({ users, items }) {
    options = [...users.map((user) => ({ hit: { user }, text: user, kind: "user" })), ...items.map((item) => ({ hit: { item }, text: item, kind: "item" }))];
    options.forEach((option, i) => {
      option.row = element("li", { role: "option", id: `found-${i}`, onmousedown: (event) => event.preventDefault(), onclick: () => pick(option) },
        element("span", {}, option.text), element("small", {}, option.kind));
    });
    list.replaceChildren(...(options.length ? options.map((option) => option.row) : [element("li", { class: "none" }, "No user or item has this in its id.")]));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(options.length ? 0 : -1);
  }

  async function look() {
    const text = input.value.trim(), number = ++asked;
    if (!text) return close();
    const found = await ask(text);
    if (number === asked && found) show(found);
  }

  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, WAIT_MS); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { input.value = ""; close(); input.blur(); }
    if (list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) { event.preventDefault(); mark((at + step + options.length) % options.length); }
    if (event.key === "Enter" && at >= 0) { event.preventDefault(); pick(options[at]); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/input|textarea/i.test(document.activeElement.tagName)) { event.preventDefault(); input.focus(); }
  });
}
