"use strict";
// One cell: what it is and cost, how it trained, and its translations beside the reference, the untouched model and others.

const SHOWN_AT_ONCE = 20;
const MOST_COMPARISONS = 16_000_000;
const ORDERS = { worse: "what it loses first", better: "what it gains first", test: "in the order of the test set", own: "its lowest scores first" };
const CLASS_TITLES = { length: "Score by the length of the source", similarity: "Score by similarity to the training text" };
const SHARE_WORDS = { empty: "empty", at_limit: "ended at the limit of tokens (endless)", copied: "copied from the source", off_target: "in another language" };

async function drawCell(place) {
  const name = view().params.get("cell");
  const cell = CELL_OF_KEY.get(name);
  if (!cell) {
    fill(place, make("h2", { id: "cell-title" }, "Cell"), make("p", {}, "This study has no such cell; the table of cells has all."));
    return;
  }
  const heading = make("h2", { id: "cell-title" }, `${systemName(methodOf(cell), cell.budget)}, ${settingName([cell.model, cell.scored_pair, cell.size, cell.test_set])}${cell.seed === "any" ? "" : `, seed ${cell.seed}`}`);
  const back = make("p", {}, make("a", { href: address("cells", { cell: null, with: null, order: null }) }, "\u2190 All cells"));
  if (cell.status !== "ok") {
    const why = { failed: `It failed: ${cell.reason}`, diverged: "Its training diverged, which is a result.", started: "It was begun and is not finished.", missing: "It has not been run." };
    fill(place, back, heading, make("p", { class: "gaps" }, why[cell.status] ?? cell.status));
    return;
  }
  fill(place, back, heading, factsOf(cell), make("p", { class: "note" }, "Loading \u2026"));
  const content = await load("cell", name);
  if (view().params.get("cell") !== name) return;
  if (!content) {
    fill(place, back, heading, factsOf(cell), make("p", { class: "gaps" }, `${pathOf("cell", name)} is not beside this page, so its translations can\u2019t be shown; copy the folder \u201Cpage\u201D with the page.`));
    return;
  }
  const text = await load("text", content.text);
  const list = make("section", { class: "translations", "aria-labelledby": "translations-title" });
  const curve = make("div", { class: "chart wide" });
  const loss = make("div", { class: "chart wide" });
  fill(
    place,
    back,
    heading,
    factsOf(cell),
    make(
      "div",
      { class: "columns" },
      content.dev.length > 1 ? make("div", {}, make("h3", {}, "Score on dev while training"), curve) : null,
      lossesOf(content).length > 1 ? make("div", {}, make("h3", {}, "Loss while training"), loss) : null,
      Object.entries(content.classes).map(([kind, rows]) => make("div", {}, classTable(kind, rows))),
      make("div", {}, sharesOf(cell)),
    ),
    make("details", {}, make("summary", {}, "Params and record"), paramsTable(content)),
    list,
  );
  drawCurve(curve, "curve", content.dev.map(([x, y]) => [x, y]), content, "Score on dev");
  drawCurve(loss, "loss", lossesOf(content), content, "Mean loss per target token since the evaluation before");
  await drawTranslations(list, cell, content, text);
}

function factsOf(cell) {
  const facts = [
    ...DATA.metrics.map((metric) => [metric.title, fixed(cell[metric.name], metric.digits)]),
    ["trained share", percent(cell.budget_achieved)],
    ["trained parameters", short(cell.trained_parameters)],
    ["stored", bytes(cell.stored_bytes)],
    ["peak memory", bytes(cell.peak_memory_mb === null ? null : cell.peak_memory_mb * 1e6)],
    ["training", duration(cell.train_seconds)],
    ["decoding", `${short(cell.decode_sentences_per_second)} sentences/s`],
    ["device", cell.device ?? DASH],
    ["learning rate", cell.learning_rate ?? DASH],
    ["training pairs", cell.training_pairs ?? DASH],
  ];
  return make("dl", { class: "facts" }, facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));
}

function classTable(kind, rows) {
  const metric = METRIC[DATA.default_metric];
  const base = rows.some((row) => row[3] !== null);
  const header = [kind === "length" ? "characters" : "similarity", "sentences", metric.title, ...(base ? ["untouched", "gain"] : [])];
  return plainTable(
    CLASS_TITLES[kind],
    header,
    rows.map(([name, count, own, other]) => [name, String(count), fixed(own, 1), ...(base ? [fixed(other, 1), other === null ? DASH : signed(own - other, 1)] : [])]),
  );
}

function sharesOf(cell) {
  const rows = DATA.shares.map((name) => [SHARE_WORDS[name] ?? name, cell[name] === null || cell[name] === undefined ? "unknown" : percent(cell[name])]);
  return [
    plainTable("Odd translations", ["translations that are", "share"], rows),
    make("p", { class: "note" }, "Counted from the text alone. The language is that of a small identifier of languages, which leaves short and unsure sentences out; it is unknown where it doesn\u2019t know the target language."),
  ];
}

function paramsTable(content) {
  const entries = [...Object.entries(content.record), ...Object.entries(content.params)];
  return plainTable("Params of the training and what came of them", ["name", "value"], entries.map(([name, value]) => [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value)]));
}

function lossesOf(content) {
  return content.dev.filter((evaluation) => evaluation[2] !== null).map(([update, , loss]) => [update, loss]);
}

function drawCurve(place, name, points, content, measured) {
  if (points.length < 2) return;
  const rows = points.map(([x, y]) => ({ x, y, kept: x === content.record.best_step }));
  const spec = adapted(name, {}, rows);
  spec.width = Math.max(200, Math.min(420, place.clientWidth - 60));
  draw(place, spec, `${measured} at ${rows.length} updates, from ${rows[0].y} to ${rows.at(-1).y}${rows.some((row) => row.kept) ? "; the update that was kept is circled" : ""}.`);
}

// ---------------------------------------------------------------- translations

function othersOf(cell) {
  const same = (own) => own.scored_pair === cell.scored_pair && own.test_set === cell.test_set && own.status === "ok" && own !== cell;
  const found = CELLS.filter((own) => same(own) && own.key !== cell.key);
  const rank = (own) => (own.method === "none" && own.model === cell.model ? 0 : own.model === cell.model && own.size === cell.size ? 1 : 2);
  return found.sort((one, other) => rank(one) - rank(other));
}

function otherName(own, cell) {
  const parts = [own.method === "none" ? "untouched" : systemName(methodOf(own), own.budget)];
  if (own.size !== cell.size && own.size !== "any") parts.push(own.size);
  if (own.model !== cell.model && own.model !== "any") parts.push(own.model);
  if (own.seed !== "any") parts.push(`seed ${own.seed}`);
  return parts.join(", ");
}

async function drawTranslations(place, cell, content, text) {
  const params = view().params;
  const others = othersOf(cell);
  const other = others.find((own) => cellName(own) === params.get("with")) ?? others[0] ?? null;
  const compared = other ? await load("cell", cellName(other)) : null;
  if (view().params.get("cell") !== cellName(cell)) return;
  const order = params.get("order") in ORDERS ? params.get("order") : compared ? "worse" : "own";
  const wanted = (params.get("find") ?? "").toLowerCase();
  const places = content.hypotheses
    .map((line, at) => at)
    .filter((at) => !wanted || [text?.sources[at], text?.references[at], content.hypotheses[at], compared?.hypotheses[at]].some((own) => own?.toLowerCase().includes(wanted)));
  const difference = (at) => (compared ? content.chrf[at] - compared.chrf[at] : 0);
  const ways = { worse: (one, next) => difference(one) - difference(next), better: (one, next) => difference(next) - difference(one), test: (one, next) => one - next, own: (one, next) => content.chrf[one] - content.chrf[next] };
  places.sort((one, next) => ways[order](one, next) || one - next);
  const list = make("ol", { class: "sentences" });
  const more = make("button", { type: "button", class: "more" });
  const name = other ? otherName(other, cell) : "";
  const add = () => {
    const from = list.childElementCount;
    list.append(...places.slice(from, from + SHOWN_AT_ONCE).map((at) => sentence(at, { content, compared, text, name })));
    const left = places.length - list.childElementCount;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(left, SHOWN_AT_ONCE)} more of ${left}`;
  };
  more.addEventListener("click", add);
  fill(
    place,
    make("h3", { id: "translations-title" }, "Translations"),
    make(
      "div",
      { class: "controls" },
      others.length ? choice("Beside", others.map((own) => [cellName(own), otherName(own, cell)]), other ? cellName(other) : "", (key) => change({ with: key })) : null,
      choice("Order", Object.entries(ORDERS).filter(([way]) => compared || way === "test" || way === "own"), order, (way) => change({ order: way })),
      make("label", { class: "choice" }, make("span", {}, "Find"), make("input", { type: "search", id: "find", value: params.get("find") ?? "", onchange: (event) => change({ find: event.target.value }) })),
    ),
    make("p", { class: "note" }, `${places.length} sentences. The numbers are chrF of single sentences; marked words stand in one of the two translations alone.${text?.sources.length ? "" : " Source and reference are no longer on this machine."}`),
    list,
    more,
  );
  add();
}

function sentence(at, { content, compared, text, name }) {
  const [source, target] = text?.languages ?? ["", ""];
  const own = content.hypotheses[at] ?? "";
  const other = compared?.hypotheses[at];
  const [marked, otherMarked] = other === undefined ? [[own], []] : differing(own, other, target);
  const line = (kind, language, label, score, ...parts) =>
    make("div", { class: `line ${kind}` }, make("span", { class: "who" }, label, score === undefined ? null : make("b", {}, ` ${score.toFixed(1)}`)), make("span", { class: "said", dir: "auto", lang: language || null }, parts));
  return make(
    "li",
    { value: String(at + 1) },
    text?.sources.length ? line("source", source, "source", undefined, text.sources[at]) : null,
    text?.references.length ? line("reference", target, "reference", undefined, text.references[at]) : null,
    line("own", target, "this cell", content.chrf[at], marked.length ? marked : "(empty)"),
    other === undefined ? null : line("other", target, name, compared.chrf[at], otherMarked.length ? otherMarked : "(empty)"),
  );
}

// ---------------------------------------------------------------- words that differ

function words(text, language) {
  if (window.Intl?.Segmenter) {
    const found = new Intl.Segmenter(language || undefined, { granularity: "word" });
    return [...found.segment(text)].map((own) => own.segment);
  }
  return text.split(/(\s+)/).filter(Boolean);
}

// Both texts in pieces, with what stands in one alone inside of <mark>: by the longest common subsequence of words.
function differing(one, other, language) {
  const [first, second] = [words(one, language), words(other, language)];
  if (first.length * second.length > MOST_COMPARISONS) return [[one], [other]];
  const width = second.length + 1;
  const longest = new Uint32Array((first.length + 1) * width);
  for (let row = first.length - 1; row >= 0; row -= 1) {
    for (let column = second.length - 1; column >= 0; column -= 1) {
      const at = row * width + column;
      longest[at] = first[row] === second[column] ? longest[at + width + 1] + 1 : Math.max(longest[at + width], longest[at + 1]);
    }
  }
  const marks = [first.map(() => true), second.map(() => true)];
  for (let row = 0, column = 0; row < first.length && column < second.length; ) {
    const at = row * width + column;
    if (first[row] === second[column]) {
      marks[0][row] = marks[1][column] = false;
      row += 1;
      column += 1;
    } else if (longest[at + width] >= longest[at + 1]) row += 1;
    else column += 1;
  }
  return [pieces(first, marks[0]), pieces(second, marks[1])];
}

function pieces(own, marks) {
  const found = [];
  for (const [place, word] of own.entries()) {
    const isMarked = marks[place] && word.trim() !== "";
    const last = found.at(-1);
    if (last && last.isMarked === isMarked) last.text += word;
    else found.push({ isMarked, text: word });
  }
  return found.map((piece) => (piece.isMarked ? make("mark", {}, piece.text) : piece.text));
}
