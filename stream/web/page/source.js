// Talks to the worker: questions, and the stream of events, with the token where one is asked for.

const SILENT_MS = 8_000; // the worker says something every second, a comment after five
const TRY_AGAIN_MS = [1_000, 2_000, 5_000];

export class TokenWanted extends Error {}

const headers = () => {
  const token = sessionStorage.getItem("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
};

async function open(path, options = {}) {
  const response = await fetch(path, { headers: headers(), cache: "no-store", ...options });
  if (response.status === 401) throw new TokenWanted();
  return response;
}

/** The answer to a question; null where the worker does not know. */
export async function ask(path) {
  const response = await open(path);
  return response.ok ? response.json() : null;
}

/** Follow the worker for ever: `on.past`, then `on[event]` for what comes, `on.lost` when it falls silent. */
export async function follow(on) {
  for (let tries = 0; ; ) {
    try {
      const past = await ask("/live/past");
      if (past === null) throw new Error("no past");
      on.past(past);
      tries = 0;
      await readEvents(on);
    } catch (error) {
      if (error instanceof TokenWanted) return on.token();
    }
    on.lost();
    await new Promise((go) => setTimeout(go, TRY_AGAIN_MS[Math.min(tries++, TRY_AGAIN_MS.length - 1)]));
  }
}

async function readEvents(on) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENT_MS);
  const response = await open("/live/events", { signal: silence.signal });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    clearTimeout(timer);
    if (done) return;
    timer = setTimeout(() => silence.abort(), SILENT_MS);
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) dispatch(block, on);
  }
}

function dispatch(block, on) {
  const name = /^event: (.*)$/m.exec(block)?.[1];
  const data = /^data: (.*)$/m.exec(block)?.[1];
  if (name && data) on[name]?.(JSON.parse(data));
}
