// The page put together: what comes from the worker goes to figures, charts, map and lists.

import { chart } from "./chart.js";
import { condition, sum } from "./condition.js";
import { itemView, unknownView, userView } from "./detail.js";
import { NONE, clock, compact, count, decimals, duration, element, percent } from "./format.js";
import { interestMap } from "./map.js";
import { search } from "./search.js";
import { ask, follow } from "./source.js";

const KEPT = 1_900; // samples, as the worker keeps them
const FRESH_MS = 3_000; // a chosen user is asked for again
const MIN_ITEMS = 8; // on a map
const $ = (id) => document.getElementById(id);
const RANKERS = ["mixture", "vector", "counting", "popularity"];

let samples = [], about = null, chosen = null, cross = null, lost = false;

const ranker = (field) => RANKERS.map((name) => ({ name, of: (sample) => sample.quality?.[name]?.[field] }));
const topic = (field) => (about?.topics ?? []).map((name) => ({ name, of: (sample) => sample.topics?.[name]?.[field] }));
const one = (name, of) => ({ name, of });
const plans = () => [
  { title: "Recall@20", series: ranker("recall"), format: percent, tick: (v) => `${Math.round(100 * v)} %`, most: 1 },
  { title: "MRR@20", series: ranker("mrr"), format: (v) => decimals(v), tick: (v) => decimals(v, 2) },
  { title: "Events a second", series: topic("records_per_s"), format: compact },
  { title: "Lag, events", series: topic("lag"), format: compact },
  { title: "Latency", series: [one("half within", (s) => s.latency_p50_ms), one("99 of 100 within", (s) => s.latency_p99_ms)], format: duration },
  { title: "Loss", series: [one("network", (s) => s.loss)], format: (v) => decimals(v), tick: (v) => decimals(v, 1) },
  { title: "Learning rate", series: [one("Adam", (s) => s.learning_rate)], format: (v) => (v == null ? NONE : v.toPrecision(2)) },
  { title: "Learning step", series: [one("time", (s) => s.step_ms)], format: duration },
];

let charts = [];
function buildCharts() {
  charts = plans().map((plan) => chart(plan, (ms) => { cross = ms; drawCharts(); }));
  $("charts").replaceChildren(...charts.map(({ figure }) => figure));
}

function drawCharts() {
  const span = Number(document.querySelector("input[name=span]:checked").value);
  const to = samples.at(-1)?.at_ms ?? Date.now();
  const first = samples[0]?.at_ms ?? to;
  const from = span ? Math.max(to - span, Math.min(first, to - 60_000)) : Math.min(first, to - 60_000);
  const shown = samples.filter((sample) => sample.at_ms >= from);
  for (const { draw } of charts) draw(shown, from, to, cross == null ? null : Math.min(to, Math.max(from, cross)));
}

function figures(now) {
  const ahead = now?.quality?.mixture && now.quality.mixture.recall - now.quality.counting.recall;
  const lag = sum(now, "lag"), rate = sum(now, "records_per_s");
  const has = (field) => (Object.keys(now?.topics ?? {}).length ? (now[field] ?? 0) : null); // zeros are not sent
  return [
    ["events/s", compact(rate), `${count(has("events"))} so far`],
    ["lag", compact(lag), "records wait"],
    ["latency", duration(now?.latency_p50_ms), `99 of 100 within ${duration(now?.latency_p99_ms)}`],
    ["recall@20", percent(now?.quality?.mixture?.recall), ahead == null ? "of the model" : `${ahead < 0 ? "−" : "+"}${(100 * Math.abs(ahead)).toFixed(1)} points to counting`],
    ["users", compact(has("users")), `${count(has("items"))} items`],
    ["learning step", duration(now?.step_ms), `${count(has("model_step"))} so far`],
    ["last checkpoint", duration(now?.checkpoint_age_s == null ? null : 1000 * now.checkpoint_age_s), "ago"],
    ["dead letters", count(has("refused")), `${count(has("updates"))} updates sent`],
  ];
}

function showNow() {
  const now = samples.at(-1), [word, sentence] = lost ? ["lost", ""] : condition(samples);
  document.body.dataset.state = word;
  $("state").textContent = word === "lost" ? "no connection" : word;
  $("explained").textContent = word === "lost"
    ? `${samples.length ? `Nothing heard since ${clock(now.at_ms)}. ` : ""}The worker has ended or cannot be reached; trying again.` : sentence;
  $("figures").replaceChildren(...figures(now).map(([name, value, note]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value), element("dd", { class: "note" }, value === NONE ? "" : note))));
  if (now?.items >= MIN_ITEMS) $("map-empty").textContent = "The map is being drawn.";
  document.title = word === "running" ? "Interest Stream" : `${$("state").textContent} · Interest Stream`;
}

function showAbout(told) {
  about = told;
  $("about").textContent = [about.app_id, about.device, `${about.encoder}, ${about.dim} dimensions`].filter(Boolean).join(" · ");
}

const map = interestMap($("map"), $("hint"), choose);

function showDrifters(drifters) {
  $("drifters-empty").hidden = drifters.length > 0;
  const focused = document.activeElement?.dataset?.user;
  $("drifters").replaceChildren(...drifters.map((user) =>
    element("li", {}, element("button", { "data-user": user.user_id, onclick: () => choose({ user: user.user_id }) },
      element("span", { class: "name" }, user.user_id), element("span", { class: "drift" }, decimals(user.drift, 2)),
      element("span", { class: "way" }, element("span", {}, user.came_from.join(", ")), element("span", { class: "to" }, user.goes_to.join(", ")))))));
  if (focused) document.querySelector(`#drifters [data-user="${CSS.escape(focused)}"]`)?.focus();
}

function choose(hit) {
  chosen = { ...hit, at_ms: 0 };
  refresh().then(() => { if (matchMedia("(max-width: 60rem)").matches) $("detail").scrollIntoView({ block: "nearest" }); });
}

function close() {
  chosen = null;
  map.choose(null);
  $("detail").hidden = true;
  $("drifting").hidden = false;
}

async function refresh() {
  const mine = chosen;
  if (!mine || Date.now() - mine.at_ms < FRESH_MS) return;
  mine.at_ms = Date.now();
  const name = mine.user ?? mine.item;
  const found = await ask(`/live/${mine.user ? "users" : "items"}/${encodeURIComponent(name)}`).catch(() => undefined);
  if (chosen !== mine || found === undefined) return;
  const near = found && (mine.user ? found.now : found.similar);
  map.choose(found && { ...found, names: new Set([...near.map(([item]) => item), ...(mine.item ? [mine.item] : [])]) });
  const view = !found ? unknownView(name, close) : mine.user ? userView(found, choose, close) : itemView(found, choose, close);
  const scrolled = $("detail").querySelector(".window")?.scrollTop ?? 0;
  $("detail").replaceChildren(...view);
  const window = $("detail").querySelector(".window");
  if (window) window.scrollTop = scrolled;
  $("detail").hidden = false;
  $("drifting").hidden = true;
}

search($("search"), $("found"), (text) => ask(`/live/search?q=${encodeURIComponent(text)}`).catch(() => null), choose);
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && document.activeElement !== $("search")) close(); });
for (const input of document.querySelectorAll("input[name=span]")) input.addEventListener("change", drawCharts);
new ResizeObserver(drawCharts).observe($("charts"));

function askForToken() {
  $("token").hidden = false;
  document.querySelector("main").hidden = true;
  $("token").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", $("secret").value);
    location.reload();
  });
  $("secret").focus();
}

showNow();
follow({
  past(past) {
    [samples, lost] = [past.samples, false];
    showAbout(past.about);
    buildCharts();
    drawCharts();
    showNow();
  },
  sample(sample) {
    samples.push(sample);
    if (samples.length > KEPT) samples.splice(0, samples.length - KEPT);
    lost = false;
    showNow();
    drawCharts();
    refresh();
    if (!about.device && sample.state !== "compiling") ask("/live/past").then((past) => past && showAbout(past.about)).catch(() => null);
  },
  items(rows) {
    map.setItems(rows);
    $("map-empty").hidden = rows.length > 0;
  },
  moves({ users, drifters }) {
    map.setUsers(users);
    showDrifters(drifters);
  },
  lost() {
    lost = true;
    showNow();
  },
  token: askForToken,
});
