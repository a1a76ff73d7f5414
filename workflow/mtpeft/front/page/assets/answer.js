"use strict";
// The first view: which method to take, what the claims of the study came to, and what the study can't show.

function drawAnswer(place) {
  fill(
    place,
    make("h2", { id: "answer-title" }, "What this study says"),
    DATA.choices.length ? choiceBlock() : null,
    findingBlock(),
    make("h3", {}, "What it can\u2019t show"),
    make("ul", { class: "limits" }, DATA.limits.map((limit) => make("li", {}, limit))),
    backgroundBlock(),
  );
}

// ---------------------------------------------------------------- what the study rests on

function backgroundBlock() {
  if (!DATA.texts.length && !DATA.bases.length) return null;
  const sources = new Set(DATA.texts.map((own) => sourcesInWords(own.sources)));
  const isOne = sources.size === 1;
  const count = (number) => (number === null ? DASH : number.toLocaleString("en"));
  const texts = DATA.texts.map((own) => [DATA.pairs[own.pair].title, ...(isOne ? [] : [sourcesInWords(own.sources)]), ...own.rows.map(count)]);
  return [
    make("h3", {}, "What it rests on"),
    make(
      "ul",
      { class: "limits" },
      DATA.bases.map((own) => make("li", {}, make("b", {}, own.model), `: ${short(own.parameters)} parameters, ${own.from}. Licence: ${own.licences.join("; ") || "not recorded"}. What it may have read of the test sentences: ${own.exposure}.`)),
      isOne ? make("li", {}, `The text of these pairs comes from ${[...sources][0]}; further test sets may come from elsewhere.`) : null,
    ),
    texts.length ? plainTable("Pairs of sentences", ["pair", ...(isOne ? [] : ["sources"]), "to train on", "dev", "test"], texts) : null,
  ];
}

function sourcesInWords(sources) {
  return sources.map(([name, licence]) => (licence ? `${name} (${licence})` : name)).join(", ");
}

// ---------------------------------------------------------------- which method to take

function choiceBlock() {
  const options = DATA.choices.map((own, place) => [String(place), choiceName(own)]);
  const wanted = view().params.get("setting");
  const known = DATA.choices.findIndex((own) => own.setting.join("/") === wanted);
  const most = Math.max(...DATA.choices.map((own) => own.of));
  const place = known >= 0 ? known : DATA.choices.findIndex((own) => own.of === most);
  const picked = DATA.choices[place];
  return make(
    "section",
    { class: "answer-card", "aria-labelledby": "choice-title" },
    make("h3", { id: "choice-title" }, "Which method should I take?"),
    DATA.choices.length > 1
      ? choice("For", options, String(place), (value) => change({ setting: DATA.choices[value].setting.join("/") }))
      : null,
    choiceSentences(picked),
    choiceTable(picked),
  );
}

function choiceName(own) {
  const pairs = own.pairs ? `${own.pairs.toLocaleString("en")} pairs of ` : "";
  return `${pairs}${settingName([own.setting[0], own.setting[1], pairs ? "" : own.setting[2], own.setting[3]])}`;
}

function systemOf(setting, [method, budget]) {
  const [model, pair, size, testSet] = setting;
  return SYSTEMS.find(
    (own) => own.model === model && own.pair === pair && own.size === size && own.test_set === testSet && own.method === method && own.budget === budget,
  );
}

function costsInWords(system) {
  return COST_NAMES.map((name, place) => system.costs[place] && COST_IN_WORDS[name]?.(system.costs[place])).filter(Boolean).join(", ");
}

function choiceSentences(picked) {
  const metric = METRIC[DATA.default_metric];
  const best = systemOf(picked.setting, picked.best);
  const cheap = systemOf(picked.setting, picked.cheapest);
  const isSame = best === cheap;
  const score = (own) => withInterval(own[`${metric.name}:score`], metric.digits);
  const behind = picked.behind.find(([method, budget]) => method === cheap.method && budget === cheap.budget);
  const parts = [
    make(
      "p",
      { class: "lead" },
      `${picked.pairs ? "With" : "For"} ${choiceName(picked)}, `,
      make("b", {}, systemName(...picked.best)),
      ` has the best score of ${picked.of} fine-tuned systems: ${metric.title} ${score(best)}. It ${costsInWords(best)}.`,
    ),
  ];
  if (!isSame) {
    parts.push(
      make(
        "p",
        { class: "lead" },
        "Of those that are not shown to be worse, ",
        make("b", {}, systemName(...picked.cheapest)),
        ` stores least: ${metric.title} ${score(cheap)}`,
        behind ? `, ${fixed(Math.abs(behind[2]), 1)} from the best (95 % interval ${fixed(behind[3], 1)} to ${fixed(behind[4], 1)})` : "",
        `. It ${costsInWords(cheap)}.`,
      ),
    );
  }
  parts.push(...otherMetrics(picked, metric));
  parts.push(
    make(
      "p",
      { class: "note" },
      `\u201cNot shown to be worse\u201d is not \u201cas good\u201d: it means a p-value of 0.05 or more, corrected over the comparisons with the best${picked.seeds === 1 ? ", here with one seed" : ""}. The best of many is partly so by luck.`,
    ),
  );
  return parts;
}

// What other metrics say: the best by each of them, and where the choice above stands by it.
function otherMetrics(picked, metric) {
  const keys = [picked.best, ...picked.behind.map(([method, budget]) => [method, budget])];
  return DATA.metrics
    .filter((own) => own.name !== metric.name)
    .map((own) => {
      const sign = own.better === "higher" ? 1 : -1;
      const scored = keys
        .map((key) => [key, systemOf(picked.setting, key)?.[`${own.name}:score`]])
        .filter(([, score]) => score)
        .sort(([, one], [, other]) => sign * (other[0] - one[0]));
      if (!scored.length) return null;
      const [[first, score]] = scored;
      const chosen = scored.find(([key]) => key.join("/") === picked.best.join("/"));
      const isSame = first.join("/") === picked.best.join("/");
      const there = isSame || !chosen ? "" : `; ${systemName(...picked.best)} has ${withInterval(chosen[1], own.digits)}`;
      return make("p", { class: "other-metric" }, `By ${own.title}, ${systemName(...first)} has the best score${isSame ? " as well" : ""}: ${withInterval(score, own.digits)}${there}.`);
    });
}

function choiceTable(picked) {
  const metric = METRIC[DATA.default_metric];
  const alike = new Set(picked.alike.map((key) => key.join("/")));
  const behind = new Map(picked.behind.map(([method, budget, ...numbers]) => [`${method}/${budget}`, numbers]));
  const keys = [picked.best, ...picked.behind.map(([method, budget]) => [method, budget])];
  const rows = keys
    .map((key) => [key, systemOf(picked.setting, key)])
    .filter(([, system]) => system?.[`${metric.name}:score`])
    .sort(([, one], [, other]) => (other[`${metric.name}:score`][0] - one[`${metric.name}:score`][0]) * (metric.better === "higher" ? 1 : -1))
    .map(([key, system]) => {
      const difference = behind.get(key.join("/"));
      const said = !difference ? "best" : alike.has(key.join("/")) ? "not shown" : "worse";
      return [
        make("a", { href: cellsAddress(system) }, systemName(...key)),
        withInterval(system[`${metric.name}:score`], metric.digits),
        make("td", { class: said === "worse" ? "" : "strong" }, said === "not shown" ? `not shown to be worse (p ${difference[3].toFixed(3)})` : said),
        percent(system.share),
        ...COST_NAMES.map((name, at) => (COST_IN_CELL[name]?.write ?? short)(system.costs[at])),
      ];
    });
  const header = ["system", metric.title, "against the best", "trained share", ...COST_NAMES.map((name) => COST_IN_CELL[name]?.title ?? DATA.costs[name])];
  return make("details", {}, make("summary", {}, `All ${picked.of} systems with their costs`), plainTable("Systems of this setting, the best first", header, rows));
}

function cellsAddress(system) {
  const only = Object.fromEntries(FILTERS.map(([name]) => [name, name in system && system[name] !== "any" ? system[name] : null]));
  return address("cells", { ...only, method: system.method.split(" (")[0] }, new URLSearchParams());
}

// ---------------------------------------------------------------- findings

function findingBlock() {
  if (!DATA.findings.length) return null;
  return [
    make("h3", {}, "Findings"),
    make("div", { class: "findings" }, DATA.findings.map(oneFinding)),
  ];
}

const SAID = 3;
const SIGN = { supported: "\u2713", refuted: "\u2717", undecided: "?" };

function oneFinding(finding) {
  const measured = finding.members.filter((member) => member.effect !== null);
  const said = measured.slice(0, SAID).map((member) => `${member.member}: ${member.effect} (95 % interval ${member.interval}), ${member.verdict}.`);
  if (measured.length > SAID) said.push(`${measured.length - SAID} more below.`);
  if (!measured.length) said.push("Nothing could be measured yet: cells are missing.");
  const rows = finding.members.map((member) => [
    member.member,
    member.effect ?? DASH,
    member.interval,
    make("td", { class: `verdict ${member.kind}` }, `${SIGN[member.kind]} ${member.verdict}`),
    member.reason + (member.needs ? `; would be decided with ${member.needs}` : ""),
  ]);
  return make(
    "article",
    { class: "finding", id: `finding-${finding.label}` },
    make(
      "p",
      {},
      make("span", { class: `verdict ${finding.kind}` }, `${SIGN[finding.kind]} ${finding.verdict}`),
      ` ${finding.scope}`,
    ),
    make("p", { class: "statement" }, finding.statement.replaceAll("`", "")),
    make("ul", { class: "said-of" }, (finding.reason ? [`Not tested: ${finding.reason}.`] : said).map((line) => make("li", {}, line))),
    make("p", { class: "links" }, make("a", { href: chartOf(finding) }, "chart"), " ", make("a", { href: cellsOf(finding) }, "cells")),
    make(
      "details",
      {},
      make("summary", {}, "Each comparison, and the rule"),
      make("p", {}, `Effect: ${finding.effect}. ${finding.rule}`),
      make("p", {}, `On the half of the test sentences that is least similar to the training text: ${finding.least_similar}.`),
      plainTable(`Comparisons of ${finding.label}`, ["comparison", "effect", "95 % interval", "verdict", "reason"], rows),
    ),
  );
}

function labelsOf(finding) {
  const cells = finding.members.flatMap((member) => member.cells.map((path) => path.split("/")));
  const among = (place) => [...new Set(cells.map((labels) => labels[place]))].filter((label) => label !== "any");
  const [model, pair, size, method, budget] = [0, 1, 2, 3, 4].map(among);
  return { model, pair, size, method, budget };
}

function chartOf(finding) {
  const study = DATA.studies.find((own) => own.label === finding.study);
  return address("charts", { ...labelsOf(finding), budget: null, study: finding.study, axis: study?.axis ?? null }, new URLSearchParams());
}

function cellsOf(finding) {
  return address("cells", labelsOf(finding), new URLSearchParams());
}
