"use strict";
// The trade-off between score and cost, with the Pareto front of a setting.

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
