// In which condition the worker is, in one word and one sentence.

import { count, duration } from "./format.js";

const BEHIND_S = 10; // of events at the present rate
const BEHIND_EVENTS = 1_000;
const STILL_SAMPLES = 10;

const EXPLAINED = {
  compiling: "The model's steps are being compiled: up to a minute the first time, seconds later.",
  standby: "Another worker owns the checkpoints; this one takes over when it ends.",
  joining: "Joining the consumer group.",
  stopped: "Saving a last checkpoint and leaving.",
};

export const sum = (sample, field) => {
  const values = Object.values(sample?.topics ?? {}).map((topic) => topic[field]);
  return !values.length || values.includes(null) || values.includes(undefined) ? null : values.reduce((a, b) => a + b, 0);
};

/** @returns {[string, string]} the word and the sentence */
export function condition(samples) {
  const now = samples.at(-1);
  if (!now) return ["connecting", ""];
  if (now.state !== "running") return [now.state, EXPLAINED[now.state] ?? ""];
  const lag = sum(now, "lag"), last = samples.slice(-STILL_SAMPLES);
  const rate = last.reduce((total, sample) => total + (sum(sample, "records_per_s") ?? 0), 0) / last.length;
  if (lag == null) return ["running", "The broker does not say how much waits."];
  if (lag && !rate && last.length === STILL_SAMPLES) return ["stalled", `Nothing moves though ${count(lag)} records wait.`];
  if (lag > Math.max(BEHIND_EVENTS, BEHIND_S * rate)) return ["lagging", `${count(lag)} records wait${rate ? `: ${duration((1000 * lag) / rate)} at this rate` : ""}.`];
  if (!now.events) return ["idle", "Ready. No events so far: try `interest-stream replay FILE`."];
  if (!rate) return ["idle", "Everything is read; waiting for events."];
  return ["running", ""];
}
