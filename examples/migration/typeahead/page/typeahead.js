// The page sends what is typed, key by key, and shows what comes back. It leaves it to the server to wait for a pause,
// to search, and to forget what was overtaken.

const term = document.querySelector("#term");
const best = document.querySelector("#best");
const status = document.querySelector("#status");
const chosen = document.querySelector("#chosen");
const countries = new Intl.DisplayNames(["en"], { type: "region", fallback: "code" });

let socket;
let patience = 250;
let shown = [];
let active = -1;
let last = null;
let taken = null;

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/typed`);
  socket.addEventListener("open", () => {
    patience = 250;
    status.textContent = "Type at least two letters.";
    if (term.value) ask();
  });
  socket.addEventListener("message", (message) => show(JSON.parse(message.data)));
  socket.addEventListener("close", () => {
    status.textContent = "The connection was lost; trying again …";
    fold();
    setTimeout(connect, patience);
    patience = Math.min(2 * patience, 8000);
  });
}

function ask() {
  if (socket.readyState === WebSocket.OPEN) socket.send(term.value);
}

function show(answer) {
  if (answer.term === taken) return;
  last = answer;
  shown = answer.best;
  best.replaceChildren(...shown.map((airport, index) => option(airport, index, answer.term)));
  best.hidden = shown.length === 0;
  term.setAttribute("aria-expanded", String(!best.hidden));
  activate(-1);
  status.textContent = summary(answer);
}

function summary({ term: asked, found }) {
  if ([...asked].length < 2) return "Type at least two letters.";
  if (found === 0) return `No airport matches “${asked}”.`;
  const airports = found === 1 ? "1 airport matches" : `${found.toLocaleString("en")} airports match`;
  return `${airports} “${asked}”${found > shown.length ? `; these are the first ${shown.length}` : ""}.`;
}

function option(airport, index, asked) {
  const item = document.createElement("li");
  item.id = `airport-${index}`;
  item.role = "option";
  item.append(...parts(airport, (text) => marked(text, asked)));
  // The field must not lose the focus before the click arrives.
  item.addEventListener("pointerdown", (event) => event.preventDefault());
  item.addEventListener("click", () => take(index));
  return item;
}

function parts(airport, dressed) {
  const place = [airport.place, countries.of(airport.country)].filter(Boolean).join(", ");
  return [["code", airport.code], ["name", airport.name], ["place", place]].map(([kind, text]) => {
    const part = document.createElement("span");
    part.className = kind;
    part.append(...dressed(text));
    return part;
  });
}

// The first place where the text has the term, whatever its case and accents.
function marked(text, asked) {
  const letters = [...text.normalize("NFC")];
  const plain = letters.map((letter) => folded(letter) || letter);
  const at = plain.join("").indexOf(folded(asked));
  if (at < 0 || plain.some((letter) => letter.length !== 1)) return [text];
  const end = at + folded(asked).length;
  const mark = document.createElement("mark");
  mark.textContent = letters.slice(at, end).join("");
  return [letters.slice(0, at).join(""), mark, letters.slice(end).join("")];
}

function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function activate(index) {
  active = index;
  for (const [position, item] of [...best.children].entries()) {
    item.setAttribute("aria-selected", String(position === index));
  }
  if (index < 0) term.removeAttribute("aria-activedescendant");
  else term.setAttribute("aria-activedescendant", `airport-${index}`);
}

function take(index) {
  const airport = shown[index];
  taken = term.value = `${airport.name} (${airport.code})`;
  ask();
  fold();
  status.textContent = "Your choice:";
  for (const part of parts(airport, (text) => [text])) {
    chosen.querySelector(`.${part.className}`).replaceChildren(...part.childNodes);
  }
  chosen.hidden = false;
}

function fold() {
  best.hidden = true;
  best.replaceChildren();
  shown = [];
  activate(-1);
  term.setAttribute("aria-expanded", "false");
}

term.addEventListener("input", () => {
  taken = null;
  chosen.hidden = true;
  // The server does not repeat itself: it answers once the term is another one than it answered last.
  if (best.hidden && last?.term === term.value.trim()) show(last);
  ask();
});

term.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape" && !best.hidden) {
    event.preventDefault(); // the next one empties the field
    fold();
  } else if (step && shown.length) {
    event.preventDefault();
    activate((active + step + shown.length + (active < 0 && step < 0)) % shown.length);
  } else if (event.key === "Enter" && active >= 0) {
    event.preventDefault();
    take(active);
  }
});

connect();
