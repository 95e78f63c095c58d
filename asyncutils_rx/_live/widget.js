/** The live view as a widget: a table that is changed in place, and a button that holds it still. */

const WIDE = 72;
const HIGH = 16;
const DEEPEST = 8;
const SAMPLES = 60;
const FINE = 64;
const SVG = "http://www.w3.org/2000/svg";
const BUSY = new Set(["notifying", "publishing"]);
const OVER = new Set(["closed", "failed", "collected"]);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Change an attribute or a text only where it differs, so that a selection and a screen reader are left alone. */
function set(node, name, value) {
  if (node[name] !== value) node[name] = value;
}

function newRow(columns) {
  const row = element("tr");
  const name = element("th", "arx-name");
  const words = element("bdi");
  words.dir = "ltr";
  name.append(words);
  const state = element("td", "arx-state");
  const history = element("td");
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("width", WIDE);
  picture.setAttribute("height", HIGH);
  picture.setAttribute("viewBox", `0 -4 ${SAMPLES} ${FINE + 8}`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("vector-effect", "non-scaling-stroke");
  picture.append(line);
  history.append(picture);
  const numbers = columns.map(() => element("td"));
  row.append(name, state, history, ...numbers);
  return { row, name, words, state, history, line, numbers };
}

function points(recent) {
  const scale = FINE / (Math.max(0, ...recent) || 1);
  const begin = SAMPLES - recent.length;
  return recent.map((value, place) => `${begin + place},${FINE - Math.trunc(value * scale)}`).join(" ");
}

function fill(made, data, columns) {
  set(made.words, "textContent", data.name);
  set(made.name, "title", data.name);
  made.name.style.paddingLeft = `${7 + 14 * Math.min(data.depth, DEEPEST)}px`;
  set(made.state, "textContent", data.state);
  const mood = BUSY.has(data.state) ? " arx-busy" : data.state === "failed" ? " arx-failed" : "";
  set(made.state, "className", `arx-state${mood}`);
  set(made.row, "className", OVER.has(data.state) ? "arx-over" : "");
  made.line.setAttribute("points", points(data.recent));
  const latest = data.recent.at(-1) ?? 0;
  set(made.history, "title", `${latest} per second at last, ${Math.max(0, ...data.recent)} at most`);
  data.numbers.forEach((number, place) => {
    const cell = made.numbers[place];
    set(cell, "textContent", number);
    const zero = number === "0" || number === "0.0";
    const bad = columns[place] === "errors" || columns[place] === "dropped";
    set(cell, "className", zero ? "arx-zero" : bad ? "arx-bad" : "");
  });
}

function render({ model, el }) {
  const root = element("div", "arx-live");
  const table = element("table");
  const head = element("tr");
  const thead = element("thead");
  const body = element("tbody");
  const foot = element("div", "arx-caption");
  const button = element("button", "", "hold");
  const words = element("span");
  button.type = "button";
  foot.append(button, " ", words);
  thead.append(head);
  table.append(thead, body);
  root.append(table, foot);
  el.append(root);

  let rows = [];
  let held = false;

  function draw() {
    const frame = model.get("frame");
    if (!frame.rows || (held && !frame.ended)) return;
    if (!head.childElementCount) {
      head.append(element("th", "arx-name", "node"), element("th", "arx-name", "state"), element("th"));
      head.append(...frame.columns.map((column) => element("th", "", column)));
    }
    while (rows.length > frame.rows.length) rows.pop().row.remove();
    while (rows.length < frame.rows.length) {
      rows.push(newRow(frame.columns));
      body.append(rows.at(-1).row);
    }
    frame.rows.forEach((data, place) => fill(rows[place], data, frame.columns));
    set(words, "textContent", frame.caption);
    button.hidden = frame.ended;
  }

  button.addEventListener("click", () => {
    held = !held;
    button.textContent = held ? "go on" : "hold";
    draw();
  });
  model.on("change:frame", draw);
  draw();
  return () => model.off("change:frame", draw);
}

export default { render };
