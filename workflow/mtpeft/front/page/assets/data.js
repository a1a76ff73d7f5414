"use strict";
// The data of the page, what the scripts beside it bring, and helpers that all views use.

const DATA = JSON.parse(document.getElementById("data").textContent);
const MINUS = "\u2212";
const DASH = "\u2013";

function objects(table) {
  return table.rows.map((row) => Object.fromEntries(table.columns.map((name, place) => [name, row[place]])));
}

const SYSTEMS = objects(DATA.systems);
const CELLS = objects(DATA.cells);
const METRIC = Object.fromEntries(DATA.metrics.map((metric) => [metric.name, metric]));
const COST_NAMES = Object.keys(DATA.costs);
const CELL_OF_KEY = new Map(CELLS.map((cell) => [cellName(cell), cell]));

function cellName(cell) {
  return `${cell.key}/${cell.test_set}`;
}

// ---------------------------------------------------------------- scripts beside the page

const received = new Map();
window.mtpeftPage = { receive: (kind, key, content) => received.set(`${kind} ${key}`, content) };

function pathOf(kind, key) {
  return `page/${kind === "text" ? "text" : "cells"}/${key.split("/").map(encodeURIComponent).join("/")}.js`;
}

// A promise of what a script brings; null where it is not there.
function load(kind, key) {
  const name = `${kind} ${key}`;
  if (received.has(name)) return Promise.resolve(received.get(name));
  return new Promise((resolve) => {
    const script = document.createElement("script");
    const end = () => {
      script.remove();
      resolve(received.get(name) ?? null);
    };
    script.src = pathOf(kind, key);
    script.onload = end;
    script.onerror = end;
    document.head.append(script);
  });
}

// ---------------------------------------------------------------- elements

// An element with attributes and children; text is always text, never markup.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

function plainTable(caption, header, rows) {
  const cell = (value, place) =>
    value instanceof Node && value.nodeName === "TD" ? value : make(place ? "td" : "th", place ? {} : { scope: "row" }, value);
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make(
      "table",
      { class: "plain" },
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, header.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map(cell)))),
    ),
  );
}

function choice(label, options, chosen, onchange) {
  const list = make(
    "select",
    { onchange: (event) => onchange(event.target.value) },
    options.map(([value, text]) => make("option", { value, selected: value === chosen }, text)),
  );
  return make("label", { class: "choice" }, make("span", {}, label), list);
}

function say(text) {
  document.getElementById("status").textContent = text;
}

// ---------------------------------------------------------------- numbers in words

function fixed(value, digits) {
  if (value === null || value === undefined) return DASH;
  const text = (Number(value.toFixed(digits)) + 0).toFixed(digits);
  return text.replace("-", MINUS);
}

function signed(value, digits) {
  return value > 0 ? `+${fixed(value, digits)}` : fixed(value, digits);
}

function withInterval(ends, digits, write = fixed) {
  return ends ? `${write(ends[0], digits)} [${fixed(ends[1], digits)}, ${fixed(ends[2], digits)}]` : DASH;
}

function short(value) {
  if (value === null || value === undefined) return DASH;
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}\u00a0${unit}`;
  }
  return String(Number(value.toPrecision(3)));
}

function counted(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

function percent(share) {
  return share === null || share === undefined ? DASH : `${Number((100 * share).toPrecision(3))}\u00a0%`;
}

function bytes(value) {
  return !value ? DASH : `${short(value)}${Math.abs(value) < 1e3 ? "\u00a0" : ""}B`;
}

const COST_IN_WORDS = {
  trained_parameters: (value) => `trains ${short(value)} parameters`,
  stored_bytes: (value) => `stores ${bytes(value)}`,
  peak_memory_mb: (value) => `takes ${bytes(value * 1e6)} of memory`,
  train_seconds: (value) => `trains for ${duration(value)}`,
  decode_sentences_per_second: (value) => `decodes ${short(value)} sentences/s`,
};

const COST_IN_CELL = {
  stored_bytes: { title: "stored", write: bytes },
  peak_memory_mb: { title: "peak memory", write: (value) => bytes(value === null ? null : value * 1e6) },
  train_seconds: { title: "training time", write: duration },
};

function duration(seconds) {
  if (!seconds) return DASH;
  if (seconds < 300) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Number((seconds / 3600).toPrecision(2))} h`;
}

function methodName(method) {
  return DATA.methods[method]?.name ?? method;
}

// The method of a cell, with the group of pairs that it was trained on, as systems have it.
function methodOf(cell) {
  return cell.pair === cell.scored_pair ? cell.method : `${cell.method} (${cell.pair})`;
}

function budgetName(budget) {
  if (budget === "all" || budget === "native" || budget === "any") return { all: "all parameters", native: "its own size", any: "" }[budget];
  return budget in DATA.budgets ? percent(DATA.budgets[budget]) : budget;
}

function systemName(method, budget) {
  const size = budgetName(budget);
  return ["all", "any", "native"].includes(budget) || !size ? methodName(method) : `${methodName(method)} ${size}`;
}

function pairName(pair) {
  return DATA.pairs[pair]?.title ?? pair;
}

function settingName([model, pair, size, testSet]) {
  return [pairName(pair), model, size, testSet === "test" ? "" : testSet].filter((part) => part && part !== "any").join(", ");
}
