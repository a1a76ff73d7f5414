"use strict";
// The table of all cells: sorted and searched by DataTables, filtered by the page, downloaded as it is shown.

const FIRST_COLUMNS = [
  ["scored_pair", "pair"],
  ["size", "size"],
  ["method", "method"],
  ["budget", "budget"],
];
const NEXT_COLUMNS = [
  ["seed", "seed"],
  ["status", "state"],
  ["model", "model"],
];
const NUMBER_COLUMNS = [
  ["budget_achieved", "share", percent],
  ["trained_parameters", "parameters", short],
  ["stored_bytes", "bytes", short],
  ["peak_memory_mb", "memory, MB", (value) => String(Math.round(value))],
  ["train_seconds", "training, s", (value) => String(Math.round(value))],
  ["decode_sentences_per_second", "sentences/s", short],
];
const PAGE_LENGTH = 25;
let cellTable = null;

function shownCells() {
  const lacking = view().params.get("state") === "lacking";
  return CELLS.filter((cell) => passes(cell, cell.scored_pair) && (!lacking || cell.status !== "ok"));
}

function columnsOfCells() {
  const scores = DATA.metrics.map((metric) => [metric.name, metric.title, (value) => fixed(value, metric.digits)]);
  return [...FIRST_COLUMNS, ...scores, ...NEXT_COLUMNS, ...NUMBER_COLUMNS];
}

function drawCells(place) {
  const rows = shownCells();
  const lacking = view().params.get("state") === "lacking";
  const table = make("table", { id: "cell-table", class: "display compact", "aria-describedby": "cells-title" });
  cellTable?.destroy(true);
  fill(
    place,
    make("h2", { id: "cells-title" }, "Cells"),
    make(
      "div",
      { class: "controls" },
      make("label", { class: "choice inline" }, make("input", { type: "checkbox", id: "only-lacking", checked: lacking, onchange: (event) => change({ state: event.target.checked ? "lacking" : null }) }), "only cells without a score"),
      make("button", { type: "button", id: "download", onclick: () => download(rows) }, `Download ${rows.length} rows as CSV`),
    ),
    make("div", { class: "scroll cells", tabindex: "0", role: "region", "aria-label": "Table of cells" }, table),
  );
  cellTable = new jQuery.fn.dataTable.Api(jQuery(table).DataTable(tableOptions(rows)));
  cellTable.on("order", () => remember({ sort: cellTable.order().map(([place, way]) => `${columnsOfCells()[place][0]}.${way}`).join(",") }));
  cellTable.on("search", () => remember({ find: cellTable.search() || null }));
}

// Keep the view in the address without drawing it again.
function remember(changes) {
  if (view().name === "cells") history.replaceState(null, "", address("cells", changes));
}

function tableOptions(rows) {
  const columns = columnsOfCells();
  const placeOf = (wanted) => columns.findIndex(([name]) => name === wanted);
  const best = METRIC[DATA.default_metric].better === "higher" ? "desc" : "asc";
  const asked = (view().params.get("sort") ?? "").split(",").map((own) => own.split("."));
  const known = asked.filter(([name, way]) => placeOf(name) >= 0 && ["asc", "desc"].includes(way));
  const sort = known.length ? known : [[DATA.default_metric, best]];
  return {
    data: rows,
    columns: columns.map(([name, title, write], place) => ({
      title,
      data: name,
      type: write ? "num" : "string",
      className: write ? "number" : "",
      defaultContent: "",
      render: (value, kind, row) => cellText(name, value, kind, write, place, row),
      createdCell: place ? undefined : (cell, value, row) => fill(cell, make("a", { href: cellAddress(row) }, pairName(value))),
    })),
    order: sort.map(([name, way]) => [placeOf(name), way]),
    search: { search: view().params.get("find") ?? "" },
    pageLength: PAGE_LENGTH,
    lengthMenu: [PAGE_LENGTH, 100, 500],
    deferRender: true,
    autoWidth: false,
    layout: { topStart: "search", topEnd: "pageLength", bottomStart: "info", bottomEnd: "paging" },
    language: { search: "Search", emptyTable: "No cell passes the filters.", lengthMenu: "_MENU_ in a page" },
    rowCallback: (row, cell) => row.classList.toggle("lacking", cell.status !== "ok"),
  };
}

// DataTables puts texts into the table as markup, so they are escaped; it sorts by what was measured.
function cellText(name, value, kind, write, place, row) {
  const escape = (text) => jQuery.fn.dataTable.util.escapeHtml(String(text));
  if (kind === "sort" || kind === "type") return name === "budget" ? (row.budget_achieved ?? DATA.budgets[value] ?? 2) : (value ?? (write ? null : ""));
  if (value === null || value === undefined) return "";
  if (name === "status") return escape(row.reason ? `${value}: ${row.reason}` : value);
  if (name === "method") return escape(methodName(methodOf(row)));
  if (name === "scored_pair") return escape(`${pairName(value)} ${value}`);
  if (name === "budget") return escape(value === "any" ? DASH : value in DATA.budgets ? `${percent(DATA.budgets[value])}` : value);
  return escape(write ? write(value) : value === "any" ? DASH : value);
}

function cellAddress(cell) {
  return address("cell", { cell: cellName(cell), with: null, order: null, find: null, sort: null });
}

function download(rows) {
  const columns = DATA.cells.columns;
  const field = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const text = [columns, ...rows.map((row) => columns.map((name) => row[name]))].map((line) => line.map(field).join(",")).join("\n");
  const link = make("a", { href: URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" })), download: `${DATA.study}-cells.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
