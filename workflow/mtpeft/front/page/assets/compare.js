"use strict";
// Differences between any two systems of a setting, as a matrix and as a table.

const LEVEL = 0.05;
const EVERY = "every";

function drawCompare(place) {
  const params = view().params;
  const settings = [...new Set(DATA.matrices.map((own) => own.setting.join("/")))];
  const setting = settings.includes(params.get("setting")) ? params.get("setting") : settings[0];
  const own = DATA.matrices.filter((matrix) => matrix.setting.join("/") === setting);
  const matrix = own.find((one) => (one.budget || EVERY) === params.get("at")) ?? own[0];
  const metric = METRIC[DATA.default_metric];
  fill(
    place,
    make("h2", { id: "compare-title" }, "Differences between any two systems"),
    matrix
      ? [
          make(
            "div",
            { class: "controls" },
            choice("For", settings.map((one) => [one, settingName(one.split("/"))]), setting, (one) => change({ setting: one, at: null })),
            own.length > 1 ? choice("Budget", own.map((one) => [one.budget || EVERY, one.budget ? budgetName(one.budget) : "all budgets"]), matrix.budget || EVERY, (one) => change({ at: one })) : null,
          ),
          make(
            "p",
            { class: "note" },
            `${metric.title} of the row minus that of the column, over the seeds that both have. \u25B2 and \u25BC mark differences that are shown at ${LEVEL} after Holm\u2019s correction over the ${matrix.differences.length} comparisons of this matrix; the others are not shown to differ, which is not the same as being equal. ${matrix.budget === "" ? "Systems train different shares." : "Methods of one size are beside those of the chosen budget, whatever they train."}`,
          ),
          matrixTable(matrix, metric),
          make("details", { open: true }, make("summary", {}, "All comparisons with intervals and p-values"), differenceTable(matrix, metric)),
        ]
      : make("p", {}, "There are no two systems with a score in one setting yet."),
  );
}

function between(matrix, row, column) {
  const [one, other] = row < column ? [row, column] : [column, row];
  const found = matrix.differences.find((own) => own[0] === one && own[1] === other);
  if (!found) return null;
  const sign = row < column ? 1 : -1;
  const [effect, low, high, p] = found.slice(2);
  const ends = [sign * low, sign * high].sort((first, second) => first - second);
  return { effect: (sign * effect) / 100, low: ends[0] / 100, high: ends[1] / 100, p: p / 1e4 };
}

function matrixTable(matrix, metric) {
  const better = metric.better === "higher" ? 1 : -1;
  const names = matrix.systems.map((key) => systemName(...key));
  const cell = (row, column) => {
    const found = row === column ? null : between(matrix, row, column);
    if (!found) return make("td", { class: "same" }, row === column ? "" : DASH);
    const shown = found.p < LEVEL;
    const kind = !shown ? "open" : found.effect * better > 0 ? "better" : "worse";
    const title = `${names[row]} ${MINUS} ${names[column]}: ${signed(found.effect, 2)} [${fixed(found.low, 2)}, ${fixed(found.high, 2)}], corrected p ${found.p.toFixed(4)}`;
    return make("td", { class: kind, title }, signed(found.effect, 1), { better: " \u25B2", worse: " \u25BC", open: "" }[kind]);
  };
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Matrix of differences" },
    make(
      "table",
      { class: "matrix" },
      make("caption", { class: "unseen" }, `Differences in ${metric.title}, row minus column`),
      make("thead", {}, make("tr", {}, make("td"), make("th", { scope: "col" }, metric.title), names.map((name) => make("th", { scope: "col" }, name)))),
      make(
        "tbody",
        {},
        names.map((name, row) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, fixed(matrix.scores[row], 1)), names.map((_, column) => cell(row, column)))),
      ),
    ),
  );
}

function differenceTable(matrix, metric) {
  const rows = matrix.differences.map(([one, other]) => {
    const found = between(matrix, one, other);
    return [
      `${systemName(...matrix.systems[one])} ${MINUS} ${systemName(...matrix.systems[other])}`,
      signed(found.effect, 2),
      `${fixed(found.low, 2)} to ${fixed(found.high, 2)}`,
      found.p.toFixed(4),
      found.p < LEVEL ? "shown" : "not shown",
    ];
  });
  return plainTable(`Differences in ${metric.title}`, ["first minus second", "difference", "95 % interval", "corrected p", "a difference"], rows);
}
