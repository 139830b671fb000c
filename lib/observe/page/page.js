/**
 * The page of the bridge. It asks for the record, the usage and the health, and is told of requests that
 * run and end over server-sent events. Whatever comes from outside, such as the names of models and
 * clients, becomes text and never markup. What changes is drawn once a frame at most.
 */

/** The most rows of the table, and how long a request stays in it: an hour. */
const MAX_ROWS = 1_000;
const KEPT = 3_600_000;
/** Samples of a running stream's line, two a second. */
const SAMPLES = 60;
/** How often usage, plots and health are brought up to date, in milliseconds. */
const REFRESH = 5_000;
const HEALTH = 30_000;

const SVG = "http://www.w3.org/2000/svg";

/** An element of the page, by its id. */
const $ = (id) => document.getElementById(id);

/** Makes an element with a class and a text. */
function make(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

function makeSvg(name, attributes = {}) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Sets a text only where it changes, so that nothing is laid out anew for nothing. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Numbers ---------------------------------------------------------------------------------------

function amount(number) {
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (number >= size * 0.9995) {
      return `${(number / size).toFixed(number < 99.95 * size ? 1 : 0)} ${unit}`;
    }
  }
  return String(number);
}

function dollars(number) {
  if (number === undefined) return "";
  if (number === 0) return "$0";
  if (number < 0.0001) return "<$0.0001";
  return `$${number.toFixed(number < 1 ? 4 : 2)}`;
}

function seconds(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round(ms % 60_000 / 1_000)} s`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});

const clock = (time) => CLOCK.format(time);
const percent = (part, whole) => whole > 0 ? `${Math.round(100 * part / whole)} %` : "";

// The way to the bridge -------------------------------------------------------------------------

let token = "";

async function api(path, options = {}) {
  const headers = options.method === "POST"
    ? { "content-type": "application/json", "x-fd-bridge-page-token": token }
    : {};
  return await fetch(`/api/${path}`, { ...options, headers });
}

async function apiJson(path) {
  const response = await api(path);
  if (response.status === 401) showLogin();
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return await response.json();
}

// Drawing once a frame --------------------------------------------------------------------------

const draws = new Set();
let frame = false;

/** Draws something with the next frame, once however often it is asked for. */
function draw(what) {
  draws.add(what);
  if (frame) return;
  frame = true;
  const run = () => {
    if (!frame) return;
    frame = false;
    const now = [...draws];
    draws.clear();
    for (const each of now) each();
  };
  requestAnimationFrame(run);
  // A tab in the background has no frames, and must not collect work for ever.
  setTimeout(run, 1_000);
}

// Requests --------------------------------------------------------------------------------------

/** Id → {record, row, details?}; the newest last. */
const entries = new Map();
/** Records that are not drawn yet, oldest first. */
let arrived = [];

function receive(records) {
  for (const record of records) {
    if (!entries.has(record.id)) arrived.push(record);
  }
  draw(drawArrived);
}

function drawArrived() {
  const body = $("requests").tBodies[0];
  const fragment = document.createDocumentFragment();
  const known = arrived.filter(({ id }) => !entries.has(id));
  arrived = [];
  for (const record of known.slice(-MAX_ROWS)) {
    if (entries.has(record.id)) continue;
    const entry = { record, row: makeRow(record), time: Date.parse(record.time) };
    entries.set(record.id, entry);
    entry.row.hidden = !matches(record);
    fragment.prepend(entry.row);
    addOption($("filter-model"), record.model);
    addOption($("filter-client"), record.client);
  }
  body.prepend(fragment);
  dropOld();
  afterRows();
  plotsDirty = usageDirty = true;
}

/** Takes away what is older than an hour or too much. */
function dropOld() {
  const oldest = Date.now() - KEPT;
  for (const [id, { row, details, time }] of entries) {
    if (entries.size <= MAX_ROWS && time >= oldest) break;
    if (row.contains(document.activeElement)) continue;
    row.remove();
    details?.remove();
    entries.delete(id);
  }
}

function makeRow(record) {
  const row = make("tr", "row");
  row.dataset.id = record.id;
  const time = make("td");
  const button = make("button", "toggle", clock(Date.parse(record.time)));
  button.type = "button";
  button.tabIndex = -1;
  button.setAttribute("aria-expanded", "false");
  time.append(button);
  const failed = record.error !== undefined || record.status >= 400;
  const late = record.error && record.status < 400 ? ` then ${record.error.status}` : "";
  row.append(
    time,
    make("td", "", record.model ?? record.path),
    make("td", "wide", record.client),
    make("td", failed ? "bad" : "good", `${record.status}${late}`),
    make("td", "number", seconds(record.duration_ms)),
    make("td", "number wide", record.tokens_in === undefined ? "" : amount(record.tokens_in)),
    make("td", "number wide", record.tokens_out === undefined ? "" : amount(record.tokens_out)),
    make("td", "number wide", dollars(record.cost)),
  );
  return row;
}

function afterRows() {
  const shown = visibleRows();
  setText($("requests-count"), String(shown.length));
  $("requests-none").hidden = entries.size > 0;
  // One row is in the order of the Tab key; the arrow keys go on from there.
  const body = $("requests").tBodies[0];
  const current = body.querySelector('button.toggle[tabindex="0"]');
  if (current && !current.closest("tr").hidden) return;
  if (current) current.tabIndex = -1;
  const first = shown[0]?.querySelector("button.toggle");
  if (first) first.tabIndex = 0;
}

function visibleRows() {
  return [...$("requests").tBodies[0].querySelectorAll("tr.row:not([hidden])")];
}

/** Opens a row, or closes it. */
function toggle(row) {
  const entry = entries.get(row.dataset.id);
  const button = row.querySelector("button.toggle");
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  row.classList.toggle("open", open);
  if (!open) {
    entry.details.remove();
    entry.details = undefined;
    button.removeAttribute("aria-controls");
    return;
  }
  entry.details = makeDetails(entry.record);
  button.setAttribute("aria-controls", entry.details.id);
  row.after(entry.details);
}

function makeDetails(record) {
  const row = make("tr", "details");
  row.id = `details-${record.id}`;
  const cell = make("td");
  cell.colSpan = 8;
  if (record.error?.advice) cell.append(make("p", "advice", record.error.advice));
  const facts = make("dl", "facts");
  for (const [label, value] of factsOf(record)) {
    if (value === undefined || value === "" || value.length === 0) continue;
    const fact = make("div", String(value).length > 60 ? "long" : "");
    fact.append(make("dt", "", label), make("dd", "", String(value)));
    facts.append(fact);
  }
  const copy = make("button", "", "Copy report");
  copy.type = "button";
  copy.addEventListener("click", () => copyReport(record, copy));
  cell.append(facts, copy);
  row.append(cell);
  return row;
}

/** Every fact of the record, with its label. */
function factsOf(record) {
  const { error } = record;
  const number = (value) => value?.toLocaleString();
  return [
    ["Id", record.id],
    ["Gateway's id", record.gateway_request_id],
    ["When", new Date(record.time).toLocaleString()],
    ["Client", record.client],
    ["Request", `${record.method} ${record.path}`],
    ["Model", record.model],
    ["Surface", record.surface],
    ["Dialects", record.dialects],
    ["Stream", record.stream === undefined ? undefined : record.stream ? "yes" : "no"],
    ["Status", String(record.status)],
    ["Ending", record.ending],
    ["Error", error && [error.kind, error.status, error.code].filter(Boolean).join(", ")],
    ["Message", error?.message],
    ["First byte", seconds(record.first_byte_ms)],
    ["Took", seconds(record.duration_ms)],
    ["Tokens in", number(record.tokens_in)],
    ["Tokens out", number(record.tokens_out)],
    ["From the cache", record.tokens_cached ? number(record.tokens_cached) : undefined],
    ["Into the cache", record.tokens_written ? number(record.tokens_written) : undefined],
    ["Cost", dollars(record.cost)],
    ["Saved by the cache", record.saved ? dollars(record.saved) : undefined],
    [
      "Writing the cache cost more",
      record.cache_writing ? dollars(record.cache_writing) : undefined,
    ],
    [
      "Asked again",
      record.retries ? `${record.retries}: ${record.retry_causes.join("; ")}` : undefined,
    ],
    ["Taken out", record.dropped.join(", ")],
    ["Repaired", record.repaired.join("; ")],
    ["Learned", record.learned.join("; ")],
  ];
}

async function copyReport(record, button) {
  const response = await api(`report?id=${encodeURIComponent(record.id)}`);
  const text = response.ok ? await response.text() : JSON.stringify(record, null, 2);
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => button.textContent = "Copy report", 2_000);
  } catch {
    // Only pages of this machine, and encrypted ones, may write to the clipboard.
    $("report-text").value = text;
    $("report").showModal();
    $("report-text").select();
  }
}

function addOption(select, value) {
  if (value === undefined || select.options.length > 200) return;
  for (const option of select.options) if (option.value === value) return;
  const option = make("option", "", value);
  option.value = value;
  select.append(option);
}

function matches(record) {
  const [model, client, status] = ["model", "client", "status"].map((name) =>
    $(`filter-${name}`).value
  );
  const failed = record.error !== undefined || record.status >= 400;
  return (!model || record.model === model) && (!client || record.client === client) &&
    (!status || (status === "error") === failed);
}

function drawFilter() {
  for (const { record, row, details } of entries.values()) {
    row.hidden = !matches(record);
    if (details) details.hidden = row.hidden;
  }
  afterRows();
  plotsDirty = true;
}

// Running streams -------------------------------------------------------------------------------

/** Id → {item, line, far, samples, last}. */
const streams = new Map();
let running = [];

function drawRunning() {
  const list = $("running");
  const now = new Set();
  for (const stream of running) {
    now.add(stream.id);
    let view = streams.get(stream.id);
    if (view === undefined) {
      view = makeStream(stream);
      streams.set(stream.id, view);
      list.append(view.item);
    }
    setText(view.name, stream.model ?? stream.path);
    view.name.title = view.name.textContent;
    setText(view.client, stream.client);
    setText(view.far, `${seconds(stream.duration_ms)} · ${amount(stream.tokens)} tokens`);
    view.samples.push(Math.max(0, stream.tokens - view.last));
    view.last = stream.tokens;
    if (view.samples.length > SAMPLES) view.samples.shift();
    const most = Math.max(4, ...view.samples);
    const start = SAMPLES - view.samples.length;
    view.line.setAttribute(
      "points",
      view.samples.map((value, at) => `${start + at},${(32 - 30 * value / most).toFixed(1)}`).join(
        " ",
      ),
    );
  }
  for (const [id, { item }] of streams) {
    if (now.has(id)) continue;
    item.remove();
    streams.delete(id);
  }
  setText($("running-count"), String(running.length));
  $("running-none").hidden = running.length > 0;
}

function makeStream(stream) {
  const item = make("li");
  const name = make("span", "model");
  const far = make("span", "far");
  const client = make("span", "note");
  const picture = makeSvg("svg", {
    viewBox: `0 0 ${SAMPLES - 1} 34`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  const line = makeSvg("polyline");
  picture.append(line);
  item.append(name, far, client, picture);
  return { item, name, client, far, line, samples: [], last: stream.tokens };
}

// Plots -----------------------------------------------------------------------------------------

let plotsDirty = false;

/**
 * Draws values over the last hour: a dot each on a logarithmic scale, and the median of every five
 * minutes as a line.
 */
function drawPlot(figure, points, format) {
  const [width, height, left, bottom] = [Math.max(200, figure.clientWidth), 150, 52, 20];
  figure.querySelector("svg")?.remove();
  const note = figure.querySelector(".note");
  if (points.length === 0) return setText(note, "nothing yet");
  const values = points.map(({ value }) => value).sort((a, b) => a - b);
  const median = values[values.length >> 1];
  const summary = `median ${format(median)}, ${points.length} ${
    points.length === 1 ? "request" : "requests"
  }`;
  setText(note, summary);
  const low = Math.floor(Math.log10(values[0]));
  const high = Math.max(low + 1, Math.ceil(Math.log10(values.at(-1))));
  const now = Date.now();
  const x = (time) => left + (width - left - 6) * (1 - (now - time) / KEPT);
  const y = (value) => 8 + (height - bottom - 8) * (high - Math.log10(value)) / (high - low);
  const svg = makeSvg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `${figure.querySelector("figcaption").firstChild.textContent.trim()}: ${summary}`,
  });
  let grid = "";
  for (let power = low; power <= high; power++) {
    const at = y(10 ** power);
    grid += `M${left} ${at}H${width - 6}`;
    const label = makeSvg("text", { x: left - 6, y: at + 4, "text-anchor": "end" });
    label.textContent = format(10 ** power);
    svg.append(label);
  }
  for (const minutes of width < 420 ? [60, 30, 0] : [60, 45, 30, 15, 0]) {
    const label = makeSvg("text", {
      x: x(now - minutes * 60_000),
      y: height - 4,
      "text-anchor": minutes === 60 ? "start" : minutes === 0 ? "end" : "middle",
    });
    label.textContent = minutes === 0 ? "now" : `−${minutes} min`;
    svg.append(label);
  }
  const dots = points.map(({ time, value }) => `M${x(time).toFixed(1)} ${y(value).toFixed(1)}h0`);
  svg.append(
    makeSvg("path", { class: "grid", d: grid }),
    makeSvg("path", { class: "dots", d: dots.join("") }),
    makeSvg("path", { class: "median", d: medianLine(points, x, y) }),
  );
  figure.append(svg);
}

function medianLine(points, x, y) {
  const buckets = new Map();
  for (const { time, value } of points) {
    const bucket = Math.floor(time / 300_000);
    buckets.set(bucket, [...buckets.get(bucket) ?? [], value]);
  }
  return [...buckets].sort(([a], [b]) => a - b).map(([bucket, values], at) => {
    const middle = values.sort((a, b) => a - b)[values.length >> 1];
    const time = Math.min(Date.now(), Math.max(Date.now() - KEPT, (bucket + 0.5) * 300_000));
    return `${at ? "L" : "M"}${x(time).toFixed(1)} ${y(middle).toFixed(1)}`;
  }).join("");
}

function drawPlots() {
  const first = [];
  const speed = [];
  const oldest = Date.now() - KEPT;
  for (const { record, time } of entries.values()) {
    if (time < oldest || record.error || !record.tokens_out || !matches(record)) continue;
    first.push({ time, value: Math.max(1, record.first_byte_ms) });
    const span = record.duration_ms - record.first_byte_ms;
    // An answer that came in one piece has no speed.
    if (span >= 50) speed.push({ time, value: Math.max(0.1, 1_000 * record.tokens_out / span) });
  }
  drawPlot($("plot-first"), first, seconds);
  drawPlot(
    $("plot-speed"),
    speed,
    (value) => value < 10 ? value.toFixed(1) : amount(Math.round(value)),
  );
}

// Usage and health ------------------------------------------------------------------------------

let usageDirty = false;

async function refreshUsage() {
  const [today, week] = await Promise.all([
    apiJson("usage?days=1&by=model"),
    apiJson("usage?days=7&by=model"),
  ]);
  drawTile($("today"), today.totals);
  drawTile($("week"), week.totals);
  const most = Math.max(...week.rows.map(weight), Number.MIN_VALUE);
  $("models").tBodies[0].replaceChildren(
    ...week.rows.slice(0, 30).map((row) => {
      const line = make("tr");
      const head = make("th", "", row.key);
      head.scope = "row";
      const share = make("td", "wide");
      const bar = make("progress");
      bar.max = 1;
      bar.value = weight(row) / most;
      bar.setAttribute("aria-label", `${row.key}, its share`);
      share.append(bar);
      line.append(
        head,
        make("td", "number wide", String(row.requests)),
        make("td", "number", amount(row.tokens_in)),
        make("td", "number wide", percent(row.tokens_cached, row.tokens_in)),
        make("td", "number", amount(row.tokens_out)),
        make("td", "number", row.priced ? dollars(row.cost) : ""),
        share,
      );
      return line;
    }),
  );
  $("models").hidden = week.rows.length === 0;
  setText(
    $("prices"),
    week.totals.priced
      ? `Prices: models.json, else ${week.prices}. No price known, no cost shown.`
      : "",
  );
  function weight(row) {
    return week.totals.cost > 0 ? row.cost : row.tokens_in + row.tokens_out;
  }
}

function drawTile(tile, totals) {
  const facts = [
    [String(totals.requests), totals.failed ? `requests, ${totals.failed} failed` : "requests"],
    [amount(totals.tokens_in), "tokens in"],
    [amount(totals.tokens_out), "tokens out"],
    [percent(totals.tokens_cached, totals.tokens_in) || "–", "from the cache"],
  ];
  if (totals.priced) facts.push([dollars(totals.cost), "cost"]);
  if (totals.saved) {
    facts.push([dollars(totals.saved), `saved, ${dollars(totals.cache_writing)} more for writing`]);
  }
  tile.replaceChildren(
    tile.firstElementChild,
    ...facts.map(([value, label]) => {
      const fact = make("dd");
      fact.append(make("b", "", value), label);
      return fact;
    }),
  );
}

async function refreshHealth() {
  const { rows, learned } = await apiJson("health");
  $("health").replaceChildren(...rows.flatMap(({ label, value, state = "" }) => [
    make("dt", "", label),
    make("dd", state, state === "bad" || state === "warn" ? `⚠ ${value}` : value),
  ]));
  $("learned").replaceChildren(...learned.map((text) => make("li", "", text)));
  $("learned-none").hidden = learned.length > 0;
}

async function runDoctor() {
  const report = $("doctor-report");
  $("doctor").disabled = true;
  report.hidden = false;
  report.textContent = "";
  setText($("doctor-state"), "running…");
  try {
    const response = await api("doctor", { method: "POST", body: "{}" });
    if (!response.ok) throw new Error((await response.json()).error.message);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      report.append(piece.value);
    }
    setText($("doctor-state"), "done");
  } catch (error) {
    setText($("doctor-state"), `It did not finish: ${error.message}`);
  }
  $("doctor").disabled = false;
}

// Start -----------------------------------------------------------------------------------------

function showLogin() {
  $("content").hidden = true;
  $("login").hidden = false;
  $("key").focus();
}

function connection(text, bad) {
  setText($("connection"), text);
  $("connection").classList.toggle("bad", bad);
}

let events;

/** A bridge that was started again has another token. */
async function loadSession() {
  const session = await (await api("session")).json();
  token = session.token;
  setText($("version"), session.version.replace(/^fd-bridge\//, ""));
  $("doctor").hidden = !session.doctor;
  return session;
}

async function loadRequests() {
  const { requests } = await apiJson(`requests?since=${Date.now() - KEPT}&limit=${MAX_ROWS}`);
  receive(requests.reverse());
}

function listen() {
  events?.close();
  events = new EventSource("/api/events");
  events.addEventListener("open", () => {
    connection("live", false);
    // What ended while nobody listened.
    usageDirty = true;
    loadRequests().then(() => draw(refresh)).catch(() => {});
    refreshHealth().catch(() => {});
    loadSession().catch(() => {});
  });
  events.addEventListener("requests", ({ data }) => receive(JSON.parse(data)));
  events.addEventListener("running", ({ data }) => {
    running = JSON.parse(data);
    draw(drawRunning);
  });
  events.addEventListener("error", () => {
    connection("connection lost, trying again", true);
    running = [];
    draw(drawRunning);
    // A browser gives up where the answer was no stream, as while another program has the port.
    if (events.readyState === EventSource.CLOSED) setTimeout(start, 3_000);
  });
}

async function start() {
  let session;
  try {
    session = await loadSession();
  } catch {
    connection("connection lost, trying again", true);
    return setTimeout(start, 3_000);
  }
  if (session.locked) {
    connection("locked", false);
    return showLogin();
  }
  $("login").hidden = true;
  $("content").hidden = false;
  listen();
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

const stored = {
  get: () => {
    try {
      return localStorage.getItem("theme") ?? "";
    } catch {
      return "";
    }
  },
  set: (theme) => {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // A browser may refuse to keep anything.
    }
  },
};

$("theme").value = stored.get();
setTheme(stored.get());
$("theme").addEventListener("change", ({ target }) => {
  setTheme(target.value);
  stored.set(target.value);
});

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("login-error").textContent = "";
  const response = await api("login-key", {
    method: "POST",
    body: JSON.stringify({ key: $("key").value }),
  }).catch(() => undefined);
  if (response?.ok) {
    $("key").value = "";
    await start();
    return $("main").focus();
  }
  const body = await response?.json().catch(() => undefined);
  $("login-error").textContent = body?.error?.message ?? "The bridge does not answer.";
  $("key").select();
});

$("filters").addEventListener("change", () => draw(drawFilter));
$("filters").addEventListener("reset", () => setTimeout(() => draw(drawFilter)));

const body = $("requests").tBodies[0];
body.addEventListener("click", ({ target }) => {
  const row = target.closest("tr.row");
  if (row) toggle(row);
});
body.addEventListener("focusin", ({ target }) => {
  if (!target.matches("button.toggle")) return;
  const current = body.querySelector('button.toggle[tabindex="0"]');
  if (current && current !== target) current.tabIndex = -1;
  target.tabIndex = 0;
});
body.addEventListener("keydown", (event) => {
  if (!event.target.matches("button.toggle")) return;
  const rows = visibleRows();
  const at = rows.indexOf(event.target.closest("tr"));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  rows[to]?.querySelector("button.toggle").focus();
});

$("doctor").addEventListener("click", () => $("ask-doctor").showModal());
$("ask-doctor").addEventListener("close", () => {
  if ($("ask-doctor").returnValue === "yes") runDoctor();
  $("ask-doctor").returnValue = "";
});

/** Brings up to date what needs it. */
function refresh() {
  if (document.hidden || $("content").hidden) return;
  if (usageDirty) {
    usageDirty = false;
    refreshUsage().catch(() => usageDirty = true);
  }
  if (plotsDirty) {
    plotsDirty = false;
    draw(drawPlots);
  }
}

setInterval(refresh, REFRESH);
setInterval(() => {
  if (document.hidden || $("content").hidden) return;
  refreshHealth().catch(() => {});
  draw(() => {
    dropOld();
    afterRows();
  });
  plotsDirty = true;
}, HEALTH);
document.addEventListener("visibilitychange", () => {
  // What is drawn only now and then is drawn at once for whoever comes back.
  if (document.hidden) return;
  plotsDirty = usageDirty = true;
  refresh();
});
addEventListener("resize", () => plotsDirty = true);

await start();
