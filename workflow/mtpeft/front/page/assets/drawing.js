"use strict";
// How a chart is drawn: colours that are seen on the background, specifications adapted to the window, and the legend.

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
