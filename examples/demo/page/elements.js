// Elements from names, attributes and children. Text stays text: nothing is ever parsed as HTML.

export const $ = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function drawn(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// Rows of strings or elements; the first cell of each heads it.
export function table(caption, headings, rows) {
  const cell = (text, column) =>
    column === 0 ? element("th", { scope: "row" }, text) : element("td", { class: "number" }, text);
  const head = headings.map((text, column) =>
    element("th", column === 0 ? { scope: "col" } : { scope: "col", class: "number" }, text));
  return element("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    element("table", {},
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell))))));
}

// Pairs of a name and what it is; those that are not known are left out.
export function facts(pairs) {
  return pairs
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
}
