// Numbers and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const NONE = "–";

export const count = (n) => (n == null ? NONE : whole.format(n));
export const percent = (share) => (share == null ? NONE : `${(100 * share).toFixed(1)} %`);
export const decimals = (n, digits = 3) => (n == null ? NONE : n.toFixed(digits));
export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
export const clockMinutes = (ms) => clock(ms).slice(0, 5);

export function compact(n) {
  if (n == null) return NONE;
  if (Math.abs(n) >= 1e6) return `${(n / 1e6).toFixed(1)} M`;
  if (Math.abs(n) >= 1e4) return `${(n / 1e3).toFixed(0)} k`;
  return Math.abs(n) < 10 && n % 1 ? n.toFixed(1) : count(n);
}

/** Milliseconds as the unit that reads best. */
export function duration(ms) {
  if (ms == null) return NONE;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** An element with text and children; text is never taken for markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}
