// One user or one item beside the map.

import { clock, count, decimals, duration, element } from "./format.js";

const VERB = { click: "clicked", purchase: "bought", search: "searched" };

const heading = (text, close) =>
  element("div", { class: "head" }, element("h2", {}, text), element("button", { class: "close", onclick: close, "aria-label": "Close" }, "Close"));

function near(title, items, pick) {
  if (!items.length) return [element("h3", {}, title), element("p", { class: "empty" }, "No item vectors yet.")];
  const rows = items.map(([item, score]) =>
    element("li", {}, element("button", { onclick: () => pick({ item }) }, item), element("span", { class: "score" }, decimals(score, 2))));
  return [element("h3", {}, title), element("ol", { class: "near" }, ...rows)];
}

const event = ({ kind, subject, time_ms }) =>
  element("li", { class: kind === "search" ? "search-event" : kind },
    element("span", { class: "kind" }, VERB[kind] ?? kind),
    element("span", { class: "what", title: subject ?? "" }, subject ?? "(has left)"),
    element("time", { title: new Date(time_ms).toLocaleString("en-GB") }, when(time_ms)));

const when = (ms) => (Date.now() - ms < 86_400_000 ? clock(ms) : `${duration(Date.now() - ms)} ago`);

export function userView(user, pick, close) {
  const path = user.path.length ? `${user.path.length} moves within its last hour, drawn on the map` : "no move within its last hour";
  return [
    heading(user.user_id, close),
    element("p", { class: "facts" }, `drift ${decimals(user.drift)} · ${count(user.num_events)} events · ${path}`),
    ...near("Interest now", user.now, pick),
    ...near("Long-term interest", user.long_term, pick),
    element("h3", {}, `Window: the last ${user.window.length} events`),
    element("ol", { class: "window", tabindex: "0", "aria-label": "Window, newest first" }, ...user.window.map(event)),
  ];
}

export function itemView(item, pick, close) {
  return [heading(item.item_id, close), ...near("Similar items", item.similar, pick)];
}

export function unknownView(name, close) {
  return [heading(name, close), element("p", { class: "empty" }, "Not known to this worker, or it has left.")];
}
