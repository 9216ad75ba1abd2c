// A line chart over time as SVG. All charts share the span of time and the cross-hair.

import { clock, clockMinutes, element } from "./format.js";

const HEIGHT = 152, LEFT = 52, RIGHT = 8, TOP = 8, BOTTOM = 20;
const GAP_MS = 15_000; // a longer hole in dense samples is drawn as one
const NS = "http://www.w3.org/2000/svg";

const svg = (name, attributes = {}, text) => {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

/**
 * @param {{title: string, series: {name: string, of: function}[], format: function, tick?: function, most?: number}} plan
 * `most` is the largest value that there can be.
 * @param {function} onCross told the time under the pointer, or null
 */
export function chart(plan, onCross) {
  const values = plan.series.map((one, i) => element("i", { class: `c${i}` }, one.name, " ", element("em")));
  const caption = element("figcaption", {}, element("b", {}, plan.title), ...values);
  const picture = svg("svg", { tabindex: "0", role: "img", "aria-label": plan.title });
  const figure = element("figure", {}, caption, picture);
  let drawn = null;

  const timeAt = (x) => drawn && drawn.from + ((x - LEFT) / (drawn.width - LEFT - RIGHT)) * (drawn.to - drawn.from);
  picture.addEventListener("pointermove", (event) => onCross(timeAt(event.offsetX)));
  picture.addEventListener("pointerleave", () => onCross(null));
  picture.addEventListener("blur", () => onCross(null));
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !drawn) return;
    event.preventDefault();
    onCross(Math.min(drawn.to, Math.max(drawn.from, (drawn.cross ?? drawn.to) + (step * (drawn.to - drawn.from)) / 40)));
  });

  function draw(samples, from, to, cross) {
    const width = picture.clientWidth || 400;
    const x = (ms) => LEFT + ((ms - from) / Math.max(1, to - from)) * (width - LEFT - RIGHT);
    const top = Math.min(plan.most ?? Infinity, ceiling(samples, plan.series));
    const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
    picture.replaceChildren(...frame(width, from, to, top, x, y, plan));
    plan.series.forEach((one, i) => {
      const d = path(samples, one.of, x, y, (to - from) / 20);
      if (d) picture.append(svg("path", { d, class: `line c${i}${i ? "" : " first"}` }));
    });
    for (const sample of samples) for (const alarm of sample.alarms ?? []) picture.append(...mark(x(alarm.at_ms), alarm));
    if (!samples.some((sample) => plan.series.some((one) => one.of(sample) != null)))
      picture.append(svg("text", { x: width / 2, y: HEIGHT / 2, class: "nothing" }, "nothing yet"));
    if (cross != null) picture.append(svg("line", { x1: x(cross), x2: x(cross), y1: TOP, y2: HEIGHT - BOTTOM, class: "cross" }));
    if (cross != null) picture.append(svg("text", { x: x(cross) + 4, y: TOP + 8 }, clock(cross)));
    const shown = cross == null ? samples.at(-1) : nearest(samples, cross);
    plan.series.forEach((one, i) => (values[i].querySelector("em").textContent = plan.format(shown && one.of(shown))));
    drawn = { from, to, width, cross };
  }
  return { figure, draw };
}

function frame(width, from, to, top, x, y, plan) {
  const parts = [0, 0.5, 1].flatMap((part) => [
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(top * part), y2: y(top * part), class: part ? "grid" : "axis" }),
    svg("text", { x: LEFT - 7, y: y(top * part) + 4, "text-anchor": "end" }, part ? (plan.tick ?? plan.format)(top * part) : "0"),
  ]);
  for (const part of [0, 0.5, 1]) {
    const ms = from + part * (to - from);
    const anchor = ["start", "middle", "end"][2 * part];
    parts.push(svg("text", { x: x(ms), y: HEIGHT - 5, "text-anchor": anchor }, to - from < 3e5 ? clock(ms) : clockMinutes(ms)));
  }
  return parts;
}

const mark = (at, alarm) => {
  const head = svg("path", { d: `M${at - 4} ${TOP}h8l-4 6z`, class: "alarm-head" });
  head.append(svg("title", {}, `${alarm.what}, ${clock(alarm.at_ms)}`));
  return [svg("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, class: "alarm" }), head];
};

/** The largest value, rounded up to one that reads well. */
function ceiling(samples, series) {
  let most = 0;
  for (const sample of samples) for (const one of series) most = Math.max(most, one.of(sample) ?? 0);
  if (!most) return 1;
  const unit = 10 ** Math.floor(Math.log10(most));
  return unit * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * unit >= most * 1.02 || step === 10);
}

/** The newest sample of each pixel, with holes where nothing was said. */
function path(samples, of, x, y, hole) {
  let d = "", then = null, column = -1;
  for (const sample of samples) {
    const value = of(sample);
    if (value == null) { then = null; continue; }
    const at = Math.round(x(sample.at_ms));
    if (at === column && then != null) continue;
    const isHole = then == null || sample.at_ms - then > Math.max(GAP_MS, hole);
    d += `${isHole ? "M" : "L"}${at} ${y(value).toFixed(1)}`;
    then = sample.at_ms;
    column = at;
  }
  return d;
}

function nearest(samples, ms) {
  let best = samples[0];
  for (const sample of samples) if (Math.abs(sample.at_ms - ms) <= Math.abs(best.at_ms - ms)) best = sample;
  return best;
}
