"use strict";
// The charts: scores against budget, training size, distance or model, and the trade-off between score and cost.

const AXES = { share: "Trained share of the base model", pairs: "Training pairs", distance: "Syntactic distance from English", model: "Base model" };
const VALUES = { score: "Score", minus_full: "Difference to full fine-tuning", minus_none: "Difference to the untouched model" };
const SCALE_OF_AXIS = { share: "log", pairs: "log", distance: "linear", model: "names" };
const MOST_PANELS = 12;
const PANEL_WIDTH = 320;
const WIDEST = 860;
const APART = 0.07; // between points at one place, as a share of their place, on an axis of this span or more
const WIDE_SPAN = 4;
const BLACK = "#000000";
const LEAST_CONTRAST = 3;
const ERRORS_ALONE = 1; // of Vega’s levels: it warns of every layer that has no rows

// ---------------------------------------------------------------- colours that are seen on the background

function channels(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}

function luminance(rgb) {
  const [red, green, blue] = rgb.map((own) => (own / 255 <= 0.03928 ? own / 255 / 12.92 : ((own / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((first, second) => second - first);
  return (light + 0.05) / (dark + 0.05);
}

function isDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// The colour of the static figures; on a dark background lightened as far as needed to be seen.
function seen(colour) {
  if (!isDark()) return colour;
  if (colour === BLACK) return cssColour("--ink");
  const background = channels(cssColour("--background"));
  let rgb = channels(colour);
  while (contrast(rgb, background) < LEAST_CONTRAST + 1) rgb = rgb.map((own) => Math.min(255, own + 12));
  return `#${rgb.map((own) => Math.round(own).toString(16).padStart(2, "0")).join("")}`;
}

function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// ---------------------------------------------------------------- drawing a specification

// A copy of a specification with titles, colours and sizes of now.
function adapted(name, titles, rows) {
  const spec = JSON.parse(JSON.stringify(DATA.charts[name]));
  const visit = (own) => {
    for (const part of own.layer ?? []) visit(part);
    if (own.spec) visit(own.spec);
    const encoding = own.encoding ?? {};
    for (const [axis, title] of Object.entries(titles)) if (encoding[axis]?.field) encoding[axis].title = title;
    if (encoding.color?.scale) encoding.color.scale.range = encoding.color.scale.range.map(seen);
  };
  visit(spec);
  const [ink, soft, line] = ["--ink", "--soft", "--line"].map(cssColour);
  spec.datasets = { rows };
  spec.background = null;
  spec.config = {
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: { labelColor: soft, titleColor: ink, gridColor: line, domainColor: soft, tickColor: soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    header: { labelColor: ink, labelFontSize: 13 },
    text: { color: ink },
    line: { color: ink },
    point: { color: ink },
  };
  return spec;
}

async function draw(place, spec, description) {
  spec.description = description;
  const options = { actions: false, renderer: "svg", logLevel: ERRORS_ALONE, tooltip: { theme: isDark() ? "dark" : "light" } };
  const { view: drawn } = await vegaEmbed(place, spec, options);
  drawn.addEventListener("click", (event, item) => {
    if (item?.datum?.address) location.hash = item.datum.address;
  });
  place.querySelector("svg")?.setAttribute("aria-label", description);
}

// ---------------------------------------------------------------- scores of studies

function drawCharts(place) {
  const params = view().params;
  const study = params.get("study") === "all" ? null : DATA.studies.find((own) => own.label === params.get("study")) ?? DATA.studies[0];
  const axis = params.get("axis") in AXES ? params.get("axis") : study?.axis ?? "share";
  const metric = METRIC[params.get("metric")] ?? METRIC[study?.metric] ?? METRIC[DATA.default_metric];
  const value = params.get("value") in VALUES ? params.get("value") : "score";
  const found = systemRows(axis, metric, value, study);
  const many = found.panels.length > MOST_PANELS;
  const kept = new Set(found.panels.slice(0, MOST_PANELS));
  const rows = found.rows.filter((row) => kept.has(row.panel));
  const chart = make("div", { class: "chart" });
  fill(
    place,
    make("h2", { id: "charts-title" }, "Scores"),
    make(
      "div",
      { class: "controls" },
      choice("Study", [...DATA.studies.map((own) => [own.label, own.label]), ["all", "all"]], study?.label ?? "all", (label) => change({ study: label, axis: null, metric: null })),
      choice("Against", Object.entries(AXES), axis, (name) => change({ axis: name })),
      DATA.metrics.length > 1 ? choice("Metric", DATA.metrics.map((own) => [own.name, own.title]), metric.name, (name) => change({ metric: name })) : null,
      choice("Show", Object.entries(VALUES), value, (name) => change({ value: name })),
    ),
    legend(rows.map((row) => row.id)),
    many ? make("p", { class: "note" }, `The first ${MOST_PANELS} of ${found.panels.length} panels are shown; choose pairs, models or sizes above.`) : null,
    rows.length ? chart : make("p", {}, "No system that passes the filters has a place on this axis."),
    gapNote(found.gaps),
    make(
      "p",
      { class: "note" },
      "Bars are 95 % intervals over test sentences and, where there are several, seeds. Small dots are single seeds. Dashed lines are systems that have no place on the axis. Points at one place are set apart a little. \u2715 stands for a system without a score. A click on a point lists its cells.",
    ),
    make("details", { class: "numbers" }, make("summary", {}, "The numbers of this chart"), numbersTable(rows, metric, axis)),
  );
  if (!rows.length) return;
  const columns = Math.min(kept.size, Math.max(1, Math.floor(place.clientWidth / (PANEL_WIDTH + 60))));
  const spec = adapted(`scores_${SCALE_OF_AXIS[axis]}`, { x: AXES[axis], y: `${metric.title}${value === "score" ? "" : ` ${MINUS} ${value === "minus_full" ? "full" : "untouched"}`}` }, rows);
  spec.columns = columns;
  spec.facet.sort = found.panels;
  spec.spec.width = columns === 1 ? Math.min(kept.size === 1 ? WIDEST : PANEL_WIDTH + 60, place.clientWidth - 80) : Math.floor((place.clientWidth - 70) / columns) - 28;
  if (kept.size === 1) spec.spec.height = 340;
  for (const layer of spec.spec.layer) if (axis === "share" && layer.encoding.x?.field) layer.encoding.x.axis.format = "~p";
  draw(chart, spec, `${metric.title} against ${AXES[axis].toLowerCase()}, ${rows.filter((row) => !row.seed).length} values in ${kept.size} panels; the numbers stand below.`);
}

function inStudy(system, study) {
  if (!study) return true;
  const holds = (list, label) => label === "any" || list.includes(label);
  const pairs = study.pairs.flatMap((label) => [label, ...label.split("+")]);
  return (
    holds(study.models, system.model) &&
    holds(pairs, system.pair) &&
    holds(study.sizes, system.size) &&
    holds(study.methods, system.method.split(" (")[0]) &&
    (["all", "native", "any"].includes(system.budget) || study.budgets.includes(system.budget))
  );
}

function placeOn(axis, system) {
  if (axis === "share") return system.share ?? DATA.budgets[system.budget] ?? (system.budget === "all" ? 1 : null);
  if (axis === "pairs") return system.pairs || (DATA.sizes[system.size] ?? null);
  if (axis === "distance") return DATA.pairs[system.pair]?.distance ?? null;
  return system.model === "any" ? null : system.model;
}

function isFlat(axis, system) {
  if (axis === "share") return Boolean(system.reference);
  return (axis === "pairs" && system.size === "any") || (axis === "model" && system.model === "any");
}

// Whether a system stands in the panels of every value of a dimension: full fine-tuning has no budget, say.
function isWild(system, name) {
  return system[name] === "any" || (name === "budget" && ["all", "native"].includes(system[name]));
}

// The rows of the chart; a system that holds in several panels stands in each of them.
function systemRows(axis, metric, value, study) {
  const column = `${metric.name}:${value}`;
  const systems = SYSTEMS.filter((own) => passes(own) && inStudy(own, study));
  const placed = { share: "budget", pairs: "size", distance: "pair", model: "model" }[axis];
  const hasBudgets = systems.some((system) => !isWild(system, "budget"));
  const dimensions = ["pair", "model", "size", "budget", "test_set"].filter((name) => name !== placed && (name !== "budget" || hasBudgets));
  const own = systems.filter((system) => dimensions.every((name) => !isWild(system, name)));
  const telling = dimensions.filter((name) => new Set(own.map((system) => system[name])).size > 1);
  const panelOf = (system) => telling.map((name) => valueName(name, system[name])).join(", ") || dimensions.filter((name) => name !== "test_set" && name !== "budget" && own.length).map((name) => valueName(name, own[0][name])).join(", ");
  const panels = new Map();
  for (const system of own) if (!panels.has(panelOf(system))) panels.set(panelOf(system), system);
  const rows = [];
  const gaps = [];
  for (const system of systems) {
    const ends = system[column];
    if (!ends && system.seeds) continue;
    if (!ends) gaps.push(system);
    const flat = isFlat(axis, system);
    const x = placeOn(axis, system);
    if (!flat && (x === null || x === undefined)) continue;
    if (flat && !ends) continue;
    for (const [panel, example] of panels) {
      if (!dimensions.every((name) => isWild(system, name) || system[name] === example[name])) continue;
      rows.push(chartRow(system, { panel, x, flat, ends, metric, line: system.method }));
      if (value === "score" && system.seeds > 1 && !flat) rows.push(...seedRows(system, { panel, x, flat, metric, line: "" }));
      if (axis === "share" && system.budget === "all" && ends && !flat) rows.push({ ...chartRow(system, { panel, x, flat: true, ends, metric }) });
    }
  }
  if (SCALE_OF_AXIS[axis] === "log") setApart(rows);
  const scored = new Set(rows.filter((row) => row.y !== null && !row.flat).map((row) => row.panel));
  const order = (panel) => `${scored.has(panel) ? 0 : 1} ${panel}`;
  return { rows, gaps, panels: [...panels.keys()].sort((one, other) => order(one).localeCompare(order(other))) };
}

const cellsOfSystem = new Map();
for (const cell of CELLS) {
  const key = [cell.model, cell.scored_pair, cell.size, methodOf(cell), cell.budget, cell.test_set].join("/");
  cellsOfSystem.set(key, [...(cellsOfSystem.get(key) ?? []), cell]);
}

// A row for each seed of a system, with its own score.
function seedRows(system, more) {
  const cells = cellsOfSystem.get([system.model, system.pair, system.size, system.method, system.budget, system.test_set].join("/")) ?? [];
  return cells
    .filter((cell) => cell[more.metric.name] !== null)
    .map((cell) => {
      const own = cell[more.metric.name];
      const score = `seed ${cell.seed}: ${fixed(own, more.metric.digits)}`;
      return { ...chartRow(system, { ...more, ends: [own, own, own] }), seed: true, score, address: cellAddress(cell).slice(1) };
    });
}

// Points of several methods at one place are set apart a little, as in print.
function setApart(rows) {
  const methods = [...new Set(rows.filter((row) => !row.flat).map((row) => row.id))].sort();
  const at = new Map();
  for (const row of rows.filter((own) => !own.flat)) {
    const key = `${row.panel}/${Number(row.x.toPrecision(2))}`;
    at.set(key, (at.get(key) ?? new Set()).add(row.id));
  }
  const span = Math.log(Math.max(...rows.map((row) => row.x ?? 0)) / Math.min(...rows.map((row) => row.x ?? Infinity)));
  const apart = APART * Math.min(1, span / WIDE_SPAN);
  for (const row of rows.filter((own) => !own.flat)) {
    const here = methods.filter((method) => at.get(`${row.panel}/${Number(row.x.toPrecision(2))}`).has(method));
    row.exact = row.x;
    row.x *= Math.exp(apart * (here.indexOf(row.id) - (here.length - 1) / 2));
  }
}

function chartRow(system, { panel, x, flat, ends, metric, ...more }) {
  const state = [["missing", system.missing], ["diverged", system.diverged]].filter(([, count]) => count).map(([name, count]) => `${count} ${name}`);
  return {
    panel,
    x,
    flat,
    y: ends ? ends[0] : null,
    low: ends ? ends[1] : null,
    high: ends ? ends[2] : null,
    id: system.method,
    key: [system.model, system.pair, system.size, system.method, system.budget, panel].join("/"),
    method: methodName(system.method),
    name: systemName(system.method, system.budget),
    budget: budgetName(system.budget) || DASH,
    setting: settingName([system.model, system.pair, system.size, system.test_set]),
    score: withInterval(system[`${metric.name}:score`], metric.digits),
    full: withInterval(system[`${metric.name}:minus_full`], metric.digits, signed),
    none: withInterval(system[`${metric.name}:minus_none`], metric.digits, signed),
    seeds: [`${system.seeds} with a score`, ...state].join(", "),
    cost: costsInWords(system),
    share: system.share,
    address: cellsAddress(system).slice(1),
    ...more,
  };
}

function gapNote(gaps) {
  if (!gaps.length) return null;
  const named = gaps.slice(0, 8).map((own) => `${systemName(own.method, own.budget)} (${settingName([own.model, own.pair, own.size, own.test_set])})`);
  return make(
    "p",
    { class: "gaps" },
    `${gaps.length} systems have no score: ${named.join("; ")}${gaps.length > named.length ? " and others" : ""}. `,
    make("a", { href: address("cells", { state: "lacking" }) }, "Their cells"),
  );
}

function numbersTable(rows, metric, axis) {
  const own = rows.filter((row) => !row.seed && (!row.flat || axis !== "share" || row.x === null || row.x === undefined || row.id !== "full"));
  return plainTable(
    "Numbers of the chart",
    ["system", "setting", "trained share", metric.title, `${MINUS} full`, `${MINUS} untouched`, "seeds"],
    own.map((row) => [row.name, row.setting, percent(row.share), row.score, row.full, row.none, row.seeds]),
  );
}

// ---------------------------------------------------------------- legend

const SHAPE_PATHS = { circle: "M5,0A5,5,0,1,1,-5,0A5,5,0,1,1,5,0Z", square: "M-4.5,-4.5h9v9h-9Z", "triangle-up": "M0,-5.5L5.5,4.5H-5.5Z", "triangle-down": "M0,5.5L5.5,-4.5H-5.5Z", "triangle-left": "M-5.5,0L4.5,5.5V-5.5Z", "triangle-right": "M5.5,0L-4.5,5.5V-5.5Z", diamond: "M0,-6L5,0L0,6L-5,0Z", cross: "M-5.5,-2H-2V-5.5H2V-2H5.5V2H2V5.5H-2V2H-5.5Z", };

// The methods in a chart; each button shows its method alone, or all again.
function legend(methods) {
  const shapes = DATA.charts.scores_log.spec.layer.at(-1).encoding.shape.scale;
  const wanted = chosen("method");
  return make(
    "div",
    { class: "legend", role: "group", "aria-label": "Methods in the chart" },
    [...new Set(methods)].sort().map((method) => {
      const shape = shapes.range[shapes.domain.indexOf(methodName(method))] ?? "circle";
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      svg.setAttribute("viewBox", "-7 -7 14 14");
      svg.setAttribute("aria-hidden", "true");
      path.setAttribute("d", SHAPE_PATHS[shape] ?? shape);
      if (!(shape in SHAPE_PATHS)) path.setAttribute("transform", "scale(6)");
      path.setAttribute("fill", seen(DATA.methods[method]?.colour ?? "#767676"));
      svg.append(path);
      const plain = method.split(" (")[0];
      const alone = wanted.length === 1 && wanted[0] === plain;
      return make("button", { type: "button", "aria-pressed": alone ? "true" : "false", onclick: () => change({ method: alone ? null : [plain] }) }, svg, methodName(method));
    }),
  );
}

// ---------------------------------------------------------------- score against cost

function drawCost(place) {
  const params = view().params;
  const metric = METRIC[params.get("metric")] ?? METRIC[DATA.default_metric];
  const fronts = DATA.fronts[metric.name];
  const settings = [...new Set(fronts.map((own) => own.setting.join("/")))];
  const setting = settings.includes(params.get("setting")) ? params.get("setting") : settings[0];
  const cost = COST_NAMES.includes(params.get("cost")) ? params.get("cost") : "trained_parameters";
  const chart = make("div", { class: "chart wide" });
  const front = fronts.find((own) => own.setting.join("/") === setting && own.cost === cost);
  const names = new Set((front?.systems ?? []).map((key) => key.join("/")));
  const systems = SYSTEMS.filter((own) => [own.model, own.pair, own.size, own.test_set].join("/") === setting && !own.reference);
  const rows = systems
    .filter((own) => own[`${metric.name}:score`] && own.costs[COST_NAMES.indexOf(cost)])
    .map((own) => chartRow(own, { panel: "", x: own.costs[COST_NAMES.indexOf(cost)], flat: false, ends: own[`${metric.name}:score`], metric, front: names.has(`${own.method}/${own.budget}`) }));
  const best = rows.filter((row) => row.front).sort((one, other) => one.x - other.x);
  fill(
    place,
    make("h2", { id: "cost-title" }, "What quality costs"),
    settings.length
      ? make(
          "div",
          { class: "controls" },
          choice("For", settings.map((own) => [own, settingName(own.split("/"))]), setting, (own) => change({ setting: own })),
          choice("Cost", Object.entries(DATA.costs), cost, (name) => change({ cost: name })),
          DATA.metrics.length > 1 ? choice("Metric", DATA.metrics.map((own) => [own.name, own.title]), metric.name, (name) => change({ metric: name })) : null,
        )
      : make("p", {}, "No fine-tuned system has a score and a difference to the untouched model yet."),
    rows.length ? [legend(rows.map((row) => row.id)), chart] : null,
    best.length ? make("p", { class: "lead" }, "On the Pareto front: ", best.map((row) => row.name).join(", "), ".") : null,
    make(
      "p",
      { class: "note" },
      "The dashed line joins the systems of which no other gains as much and costs less; costs within a factor of 1.25, and gains within a hundredth of the largest, count as equal. Times and memory hold for the machine that ran the cells.",
    ),
    make("details", { class: "numbers" }, make("summary", {}, "The numbers of this chart"), numbersTable(rows, metric, "")),
  );
  if (!rows.length) return;
  const spec = adapted("tradeoff", { x: DATA.costs[cost], y: metric.title }, rows);
  spec.width = Math.min(WIDEST, place.clientWidth - 70);
  const mark = spec.layer[0].mark;
  mark.interpolate = cost === "decode_sentences_per_second" ? "step-before" : "step-after";
  draw(chart, spec, `${metric.title} against ${DATA.costs[cost]} of ${rows.length} systems; the numbers stand below.`);
}
