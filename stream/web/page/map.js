// The map of interests on a canvas: items stay, users glide from where they were to where they are.

const TRAIL = 7; // places kept of each user: seconds
const REACH_PX = 14;
const LABELS = 16;
const GLIDE_MS = 900;
const VIEW = 1.18; // the circle of radius 1 holds nearly all items; users may stand outside
const DRIFTS = 0.35; // from here on a user counts as drifting on the map

/** @param onPick told {user} or {item} */
export function interestMap(canvas, hint, onPick) {
  const context = canvas.getContext("2d");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const users = new Map(); // id -> {from, to, drift, trail, seen}
  let items = [], chosen = null, movedAt = 0, colors = {}, under = null, round = 0, pending = false;

  const size = () => ({ w: canvas.clientWidth, h: canvas.clientHeight });
  const place = ([x, y]) => {
    const { w, h } = size();
    return [w / 2 + (x / VIEW) * (w / 2), h / 2 - (y / VIEW) * (h / 2)];
  };
  const progress = (now) => {
    if (still.matches) return 1;
    const t = Math.min(1, (now - movedAt) / GLIDE_MS);
    return t * (2 - t);
  };
  const between = (one, t) => [0, 1].map((i) => one.from[i] + (one.to[i] - one.from[i]) * t);

  function readColors() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ink", "soft", "item", "accent", "warm", "raised", "rule", "violet"]) colors[name] = style.getPropertyValue(`--${name}`).trim();
  }

  function frame() {
    pending = false;
    const ratio = devicePixelRatio || 1, { w, h } = size(), now = performance.now(), t = progress(now);
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, w, h);
    const quiet = chosen ? 0.25 : 1;
    drawItems(quiet);
    for (const [id, user] of users) if (id !== chosen?.user_id) drawUser(user, t, quiet);
    drawLabels(quiet);
    if (chosen?.path) drawPath(chosen);
    else if (chosen?.at) ring(place(chosen.at), 9, colors.warm);
    if (t < 1) ask();
  }
  const ask = () => {
    if (!pending) requestAnimationFrame(frame);
    pending = true;
  };

  function drawItems(alpha) {
    context.fillStyle = colors.item;
    for (const [id, x, y, share] of items) {
      const near = chosen?.names?.has(id);
      context.globalAlpha = near ? 1 : 0.75 * alpha;
      const [px, py] = place([x, y]), r = 1.6 + Math.min(3, Math.sqrt(share) * 38);
      context.beginPath();
      context.moveTo(px, py - r);
      context.lineTo(px + r, py);
      context.lineTo(px, py + r);
      context.lineTo(px - r, py);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  function drawUser(user, t, alpha) {
    const wild = user.drift >= DRIFTS, [x, y] = place(between(user, t));
    context.strokeStyle = context.fillStyle = wild ? colors.warm : colors.accent;
    if (user.trail.length > 1) {
      context.lineWidth = wild ? 1.3 : 0.8;
      for (let i = 1; i <= user.trail.length; i++) {
        const [ax, ay] = place(user.trail[i - 1]), [bx, by] = i < user.trail.length ? place(user.trail[i]) : [x, y];
        if (Math.abs(ax - bx) + Math.abs(ay - by) < 0.4) continue;
        context.globalAlpha = alpha * (wild ? 0.45 : 0.18) * (i / user.trail.length) ** 1.5;
        context.beginPath();
        context.moveTo(ax, ay);
        context.lineTo(bx, by);
        context.stroke();
      }
    }
    context.globalAlpha = alpha * (wild ? 1 : 0.8);
    context.beginPath();
    context.arc(x, y, wild ? 3.4 : 2.5, 0, 7);
    context.fill();
    context.globalAlpha = 1;
  }

  function drawLabels(alpha) {
    const taken = [];
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = "center";
    const named = chosen?.names;
    const wanted = named ? items.filter(([id]) => named.has(id)) : items;
    for (const [id, x, y] of wanted) {
      if (taken.length >= LABELS) break;
      const [px, py] = place([x, y]), half = context.measureText(id).width / 2 + 6, { w, h } = size();
      const box = [px - half, py - 22, px + half, py - 4];
      if (box[0] < 0 || box[2] > w || box[1] < 0 || box[3] > h) continue;
      if (taken.some((o) => box[0] < o[2] && o[0] < box[2] && box[1] < o[3] && o[1] < box[3])) continue;
      taken.push(box);
      context.globalAlpha = named ? 1 : alpha * 0.95;
      context.lineWidth = 3;
      context.strokeStyle = colors.raised;
      context.strokeText(id, px, py - 8);
      context.fillStyle = named ? colors.ink : colors.soft;
      context.fillText(id, px, py - 8);
    }
    context.globalAlpha = 1;
  }

  function drawPath({ path, at, long_term_at: home, user_id: name }) {
    const points = path.map(place);
    context.lineJoin = "round";
    for (let i = 1; i < points.length; i++) {
      context.globalAlpha = 0.25 + 0.75 * (i / points.length);
      context.lineWidth = 2;
      context.strokeStyle = colors.warm;
      context.beginPath();
      context.moveTo(...points[i - 1]);
      context.lineTo(...points[i]);
      context.stroke();
      context.fillStyle = colors.warm;
      context.beginPath();
      context.arc(...points[i], 2, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    if (home) { ring(place(home), 8, colors.violet); caption("long term", place(home), colors.violet); }
    if (at) {
      const [x, y] = place(at);
      context.fillStyle = colors.warm;
      context.beginPath();
      context.arc(x, y, 6, 0, 7);
      context.fill();
      caption(`${name} now`, [x, y], colors.warm);
    }
  }

  function caption(text, [x, y], color) {
    const { w } = size();
    context.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = x > w - 120 ? "right" : "left";
    context.lineWidth = 4;
    context.strokeStyle = colors.raised;
    const at = x > w - 120 ? x - 11 : x + 11;
    context.strokeText(text, at, y + 4);
    context.fillStyle = color;
    context.fillText(text, at, y + 4);
  }

  function ring([x, y], r, color) {
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, r, 0, 7);
    context.stroke();
  }

  function find(event) {
    const t = progress(performance.now());
    let best = null, least = REACH_PX;
    const look = (what, [x, y], handicap) => {
      const away = Math.hypot(x - event.offsetX, y - event.offsetY) + handicap;
      if (away < least) [best, least] = [{ ...what, x, y }, away];
    };
    for (const [id, user] of users) look({ user: id, says: `${id} · drift ${user.drift.toFixed(2)}` }, place(between(user, t)), 0);
    for (const [id, x, y] of items) look({ item: id, says: id }, place([x, y]), 3);
    return best;
  }

  canvas.addEventListener("pointermove", (event) => {
    under = find(event);
    hint.hidden = !under;
    if (!under) return;
    hint.textContent = under.says;
    hint.style.left = `${Math.min(size().w - 90, Math.max(90, under.x))}px`;
    hint.style.top = `${Math.max(34, under.y)}px`;
  });
  canvas.addEventListener("pointerleave", () => (hint.hidden = true));
  canvas.addEventListener("click", (event) => { const hit = find(event); if (hit) onPick(hit); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColors(); ask(); });
  new ResizeObserver(ask).observe(canvas);
  readColors();

  return {
    setItems(rows) { items = rows; ask(); },
    setUsers(rows) {
      round += 1;
      const t = progress(performance.now());
      for (const [id, x, y, drift] of rows) {
        const old = users.get(id);
        const from = old ? between(old, t) : [x, y];
        users.set(id, { from, to: [x, y], drift, seen: round, trail: old ? [...old.trail, from].slice(-TRAIL) : [] });
      }
      for (const [id, user] of users) if (user.seen !== round) users.delete(id);
      movedAt = performance.now();
      ask();
    },
    choose(detail) { chosen = detail; ask(); },
    where: (id) => users.get(id)?.to,
  };
}
