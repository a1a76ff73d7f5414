"use strict";
// The view in the address: which section is shown, what is filtered, how it is sorted. A shared link restores all of it.

const VIEWS = [
  ["answer", "Answer"],
  ["charts", "Charts"],
  ["cost", "Trade-off"],
  ["compare", "Differences"],
  ["cells", "Cells"],
];
const FILTERS = [
  ["model", "Model"],
  ["pair", "Pair"],
  ["size", "Training size"],
  ["method", "Method"],
  ["budget", "Budget"],
];
const FILTERED_VIEWS = ["charts", "cells"];

function view() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const known = [...VIEWS.map(([name]) => name), "cell"];
  return { name: known.includes(path) ? path : "answer", params: new URLSearchParams(query) };
}

// The address of a view; what is null is left out, and filters are kept unless they are changed.
function address(name, changes = {}, kept = view().params) {
  const params = new URLSearchParams(kept);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "" || (Array.isArray(value) && !value.length)) params.delete(key);
    else params.set(key, Array.isArray(value) ? value.join(",") : value);
  }
  const query = params.toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
  return `#/${name}${query ? `?${query}` : ""}`;
}

// Change a part of the view without a new entry in the history of the browser.
function change(changes) {
  history.replaceState(null, "", address(view().name, changes));
  show();
}

function chosen(name) {
  const text = view().params.get(name);
  return text ? text.split(",") : [];
}

function values(name) {
  const found = new Set(CELLS.map((cell) => (name === "pair" ? cell.scored_pair : cell[name])));
  found.delete("any");
  const order = { size: Object.keys(DATA.sizes), budget: [...Object.keys(DATA.budgets), "native", "all"], method: Object.keys(DATA.methods) }[name];
  return [...found].sort(order ? (one, other) => order.indexOf(one) - order.indexOf(other) : undefined);
}

function valueName(name, value) {
  if (name === "method") return methodName(value);
  if (name === "budget") return budgetName(value);
  return name === "pair" ? pairName(value) : value;
}

// Says of a row whether it passes the filters of now; `any` passes those of dimensions that mean nothing for it.
function filterOfNow() {
  const asked = FILTERS.map(([name]) => [name, new Set(chosen(name))]).filter(([, wanted]) => wanted.size);
  return (row, pair = row.pair) =>
    asked.every(([name, wanted]) => {
      const own = name === "pair" ? pair : row[name];
      return own === "any" || wanted.has(own) || (name === "method" && wanted.has(own.split(" (")[0]));
    });
}

function drawFilters() {
  const place = document.getElementById("filters");
  place.hidden = !FILTERED_VIEWS.includes(view().name);
  const open = new Set([...place.querySelectorAll("details[open]")].map((own) => own.dataset.name));
  const active = document.activeElement?.id;
  fill(
    place,
    FILTERS.filter(([name]) => values(name).length > 1).map(([name, title]) => filter(name, title, open.has(name))),
    FILTERS.some(([name]) => chosen(name).length)
      ? make("button", { type: "button", onclick: () => change(Object.fromEntries(FILTERS.map(([name]) => [name, null]))) }, "Clear filters")
      : null,
  );
  if (active) document.getElementById(active)?.focus();
}

function filter(name, title, isOpen) {
  const wanted = chosen(name);
  const said = wanted.length ? wanted.map((value) => valueName(name, value)).join(", ") : "all";
  const boxes = values(name).map((value) => {
    const toggle = (event) => change({ [name]: event.target.checked ? [...wanted, value] : wanted.filter((own) => own !== value) });
    const box = make("input", { type: "checkbox", id: `filter-${name}-${value}`, value, checked: wanted.includes(value), onchange: toggle });
    return make("label", {}, box, valueName(name, value));
  });
  return make(
    "details",
    { class: "filter", "data-name": name, open: isOpen, onkeydown: closeOnEscape },
    make("summary", { id: `filter-${name}` }, `${title}: `, make("b", {}, said)),
    make("fieldset", {}, make("legend", { class: "unseen" }, title), boxes),
  );
}

function closeOnEscape(event) {
  if (event.key !== "Escape") return;
  event.currentTarget.open = false;
  event.currentTarget.querySelector("summary").focus();
}

function drawViews() {
  const now = view().name;
  fill(
    document.getElementById("views"),
    VIEWS.map(([name, title]) =>
      make("a", { href: address(name, { cell: null, with: null, order: null, find: null }), "aria-current": name === now ? "page" : null }, title),
    ),
  );
}
