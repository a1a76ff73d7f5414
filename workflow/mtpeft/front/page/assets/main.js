"use strict";
// Shows the view that the address names, and shows it anew when that, the theme or the width changes.

const DRAW = { answer: drawAnswer, charts: drawCharts, cost: drawCost, compare: drawCompare, cells: drawCells, cell: drawCell };
let drawnView = null;

function show() {
  const { name } = view();
  drawViews();
  drawFilters();
  for (const section of document.querySelectorAll("section.view")) section.hidden = section.id !== name;
  DRAW[name](document.getElementById(name));
  if (drawnView && drawnView !== name) {
    document.getElementById("main").focus({ preventScroll: true });
    scrollTo(0, 0);
    say(`${VIEWS.find(([own]) => own === name)?.[1] ?? "Cell"} is shown.`);
  }
  drawnView = name;
}

function setTheme() {
  document.documentElement.classList.toggle("dark", isDark());
}

const finished = CELLS.filter((cell) => cell.status === "ok").length;
document.getElementById("summary").textContent = [
  `${finished} of ${counted(CELLS.length, "cell")} ${CELLS.length === 1 ? "has" : "have"} a score`,
  counted(values("pair").length, "pair"),
  counted(values("model").length, "model"),
  counted(values("method").length, "method"),
].join(", ");
addEventListener("hashchange", show);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  setTheme();
  show();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width || !["charts", "cost"].includes(view().name)) return;
  width = innerWidth;
  show();
});
setTheme();
show();
document.documentElement.dataset.ready = "true";
