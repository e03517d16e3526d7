// The page on which people ask a model. Everything that comes from data goes through textContent or value, never
// through HTML. All state is in one object; an older answer never overwrites a newer one. Names of columns are only
// ever keys of maps: a column may be called "constructor".

import { call } from "./call.js";

const WAIT = 150; // milliseconds of quiet before the model is asked
const SHOWN = 12; // fields before the others fold away
const FILTER_FROM = 15;
const state = { form: null, fields: new Map(), base: new Map(), before: null, asked: 0, running: null, timer: null };
const byId = (id) => document.getElementById(id);
const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const differs = (field) => valueOf(field) !== (state.base.get(field.spec.name) ?? null);
const chosenCase = () => new Map(Object.entries(state.form.cases[Number(byId("pick").value)]?.values ?? {}));
const full = ({ share, said, output }) => (share === null ? said : `${said}, output ${output}`);

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== ""));
  return made;
}

function show(visible, ...ids) {
  for (const id of ids) byId(id).hidden = !visible;
}

function write(texts) {
  for (const [id, text] of Object.entries(texts)) byId(id).textContent = text || "";
}

// Twelve digits hide what computers add to 0.1 + 0.2, and nothing else.
function plain(value, digits = 12) {
  if (value === null || value === undefined || value === "") return "not known";
  if (typeof value !== "number") return String(value);
  return value.toLocaleString("en", { maximumSignificantDigits: Number.isInteger(value) ? 21 : digits });
}

// --- The form ------------------------------------------------------------------------------------------------------

function makeField(spec, number) {
  const id = `field-${number}`;
  const unit = spec.unit ? make("span", { class: "unit" }, ` (${spec.unit})`) : "";
  const note = make("p", { class: "note", id: `${id}-note` });
  const box = make("div", { class: "field" });
  const field = { spec, box, note, input: null, slider: null, hint: "", problem: "" };
  if (spec.derived !== undefined) {
    // by itself an output is read aloud at every change; the one sentence of the summary is enough
    field.input = make("output", { id, "aria-labelledby": `${id}-name`, "aria-live": "off" });
    field.hint = `computed: ${spec.derived}`;
    box.append(make("span", { class: "name", id: `${id}-name` }, spec.name, unit), field.input, note);
    return field;
  }
  box.append(make("label", { for: id }, spec.name, unit));
  const common = { id, "aria-describedby": `${id}-note` };
  if (spec.kind === "category") {
    field.input = make("select", common);
    const unknown = spec.optional ? [make("option", { value: "" }, "(not known)")] : [];
    field.input.append(...unknown, ...spec.choices.map((choice) => make("option", { value: choice }, choice)));
  } else {
    const step = spec.kind === "number" && !spec.whole ? "any" : "1";
    field.input = make("input", { ...common, type: spec.kind, step, placeholder: spec.optional ? "not known" : "" });
    field.hint = `from ${plain(spec.low, 6)} to ${plain(spec.high, 6)}`;
  }
  if (spec.kind === "number" && spec.high > spec.low) field.slider = makeSlider(field);
  box.append(field.input, field.slider ?? "", note);
  field.input.addEventListener("input", () => changed(field));
  return field;
}

// For the mouse and for fingers; the number beside it is for the keyboard and for screen readers.
function makeSlider(field) {
  const { low, high, whole } = field.spec;
  const step = whole ? 1 : Number(((high - low) / 200).toPrecision(1));
  const slider = make("input", { type: "range", min: low, max: high, step, tabindex: "-1", "aria-hidden": "true" });
  slider.addEventListener("input", () => {
    field.input.value = String(Number(Number(slider.value).toPrecision(12)));
    changed(field);
  });
  return slider;
}

function valueOf({ input, spec }) {
  if (spec.derived !== undefined) return null;
  if (input.validity.badInput) return "?"; // refused by the service, with a message at this field
  if (input.value === "") return null;
  return spec.kind === "number" ? Number(input.value) : input.value;
}

function setValue(field, value) {
  if (field.spec.derived !== undefined) return;
  const text = String(value ?? "");
  if (field.spec.kind === "category" && text && ![...field.input.options].some((one) => one.value === text)) {
    field.input.append(make("option", { value: text }, text));
  }
  field.input.value = ""; // drops what was typed and is no number
  field.input.value = text;
  follow(field);
}

function follow(field) {
  if (!field.slider) return;
  field.slider.classList.toggle("unset", field.input.value === "");
  field.slider.value = field.input.value || field.slider.min;
}

function values() {
  const asked = [...state.fields.values()].filter(({ spec }) => spec.derived === undefined);
  return Object.fromEntries(asked.map((field) => [field.spec.name, valueOf(field)]));
}

function changed(field) {
  follow(field);
  mark();
  clearTimeout(state.timer);
  state.timer = setTimeout(ask, WAIT);
}

function mark() {
  let count = 0;
  for (const field of state.fields.values()) {
    const other = differs(field);
    count += other;
    field.box.classList.toggle("differs", other);
    field.box.classList.toggle("wrong", field.problem !== "");
    const locked = field.spec.locked ? `no change is proposed here: ${field.spec.locked}` : "";
    const problem = field.problem ? make("span", { class: "problem" }, field.problem) : "";
    const was = other ? make("span", { class: "other" }, `changed, was ${plain(state.base.get(field.spec.name))}`) : "";
    const parts = [problem, was, field.hint, locked].filter((part) => part !== "");
    field.note.replaceChildren(...parts.flatMap((part, place) => (place ? [" · ", part] : [part])));
    field.input.setAttribute("aria-invalid", String(field.problem !== ""));
  }
  write({ changed: count && `${counted(count, "field")} changed` });
  show(count > 0, "back");
}

// A field that needs attention is neither folded away nor filtered out.
function reveal(field) {
  field.box.hidden = false;
  if (byId("others").contains(field.box)) byId("more").open = true;
}

function start(chosen) {
  state.before = null;
  for (const [name, field] of state.fields) {
    field.problem = "";
    setValue(field, chosen.get(name));
    // what the browser makes of a value is what it is compared with: a list may not hold it
    state.base.set(name, valueOf(field));
  }
  mark();
  ask();
}

function build(form) {
  state.form = form;
  document.title = `${form.title}: ask the model`;
  write({ title: form.title, question: form.question, about: `predicts ${form.target}`, notice: form.notice });
  show(form.notice, "notice");
  const cases = [...form.cases.map((one) => one.title), "An empty form"];
  byId("pick").replaceChildren(...cases.map((title, place) => make("option", { value: place }, title)));
  state.fields = new Map(form.fields.map((spec, number) => [spec.name, makeField(spec, number)]));
  const boxes = [...state.fields.values()].map((field) => field.box);
  const many = boxes.length > FILTER_FROM;
  byId("fields").replaceChildren(...boxes.slice(0, many ? SHOWN : boxes.length));
  byId("others").replaceChildren(...(many ? boxes.slice(SHOWN) : []));
  write({ first: many ? "What matters most" : "What describes it, what matters most first" });
  show(many, "more", "search");
  byId("more").querySelector("summary").textContent = `${counted(boxes.length - SHOWN, "more field")} that matter less`;
  show(true, "form");
  start(chosenCase());
}

function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  let count = 0;
  for (const [name, field] of state.fields) {
    const found = name.toLowerCase().includes(wanted);
    count += found;
    field.box.hidden = !found && field.problem === "";
  }
  byId("more").open = Boolean(wanted || byId("others").querySelector(".differs, .wrong"));
  write({ found: wanted && `${counted(count, "field")} found` });
  write({ summary: byId("found").textContent });
}

// --- The answer ----------------------------------------------------------------------------------------------------

async function ask() {
  clearTimeout(state.timer);
  const number = ++state.asked;
  const ofChosen = ![...state.fields.values()].some(differs);
  state.running?.abort();
  state.running = new AbortController();
  byId("results").setAttribute("aria-busy", "true");
  const what = { headers: { "Content-Type": "application/json" }, body: JSON.stringify({ values: values() }) };
  const response = await call("explain", { method: "POST", signal: state.running.signal, ...what }).catch(() => null);
  const content = await response?.json().catch(() => null); // cut off, or no JSON
  if (number !== state.asked) return;
  byId("results").removeAttribute("aria-busy");
  if (response?.ok && content) answered(content, ofChosen);
  else if (content?.problems) refused(content);
  else if (!response || response.ok) trouble();
  else trouble(content?.message || `The service answered with an error (${response.status}).`);
}

// An answer that is left standing must not look like the answer to what the form now says.
function trouble(message = "The service does not answer. Nothing is lost: what you filled in is still here.") {
  byId("trouble").firstElementChild.textContent = message;
  show(true, "trouble");
  show(!byId("fallback").hidden, "stale");
  write({ "bar-said": "No answer to your last change" });
}

function settle(problems) {
  show(false, "trouble", "stale");
  for (const field of state.fields.values()) field.problem = problems.get(field.spec.name) ?? "";
  mark();
}

function answered(found, ofChosen) {
  settle(new Map());
  const { answer } = found;
  for (const [name, value] of Object.entries(found.derived)) state.fields.get(name)?.input.replaceChildren(plain(value));
  if (ofChosen) state.before = answer;
  const single = answer.share === null;
  write({ was: compared(answer), said: answer.said, output: single ? "" : `so the output is ${answer.output}` });
  write({ "why-line": answer.why, alike: found.confidence.words, set: found.confidence.set });
  write({ "bar-said": single ? answer.said : `${answer.said} · ${answer.output}` });
  write({ summary: `${full(answer)}. ${found.confidence.set} ${found.fallback.would ? found.fallback.words : ""}` });
  meter(answer);
  fallback(found.fallback);
  byId("strange").replaceChildren(...found.unfamiliar.map((text) => make("li", {}, text)));
  reasons(found.reasons);
  flips(found.flips);
  show(true, "answer", "detail");
  show(found.unfamiliar.length, "strange");
  show(found.confidence.words, "alike");
}

function compared(answer) {
  if (state.before === null) return "";
  const [before, now] = [full(state.before), full(answer)];
  if (before !== now) return `${before} → ${now}`;
  return byId("back").hidden ? "The chosen case" : "The same as for the chosen case";
}

function meter(answer) {
  show(answer.share !== null, "meter");
  if (answer.share === null) return;
  const [filled, line] = byId("meter").children;
  filled.style.width = `${100 * answer.share}%`;
  line.style.left = `${100 * answer.line}%`;
  line.hidden = answer.line === null;
  const at = line.hidden ? "" : `, the line is at ${plain(100 * answer.line, 3)} %`;
  byId("meter").setAttribute("aria-label", `${answer.said}${at}`);
}

function fallback(found) {
  write({ fallback: found.words });
  show(true, "fallback");
  byId("fallback").classList.toggle("steps-in", found.would);
}

// A waterfall: every bar starts where the one before ended, between a mark for the start and one for the end.
function reasons({ parts, start: first, end: last }) {
  let total = 0;
  const ends = parts.map((part) => [total, (total += part.value)]);
  const [low, high] = [Math.min(0, ...ends.flat()), Math.max(0, ...ends.flat())];
  const share = (value) => `${(100 * value) / (high - low || 1)}%`;
  const row = (look, what, text, from, to) => {
    const piece = make("span", { class: look });
    piece.style.left = share(Math.min(from, to) - low);
    if (look !== "mark") piece.style.width = share(Math.abs(to - from));
    const sign = make("span", { "aria-hidden": "true" }, to > from ? "▲ " : to < from ? "▼ " : "");
    const [told, much] = [make("span", { class: "what" }, what), make("span", { class: "much" }, sign, text)];
    const track = make("span", { class: "track", "aria-hidden": "true" }, piece);
    return make("li", { class: `row-${look}` }, told, track, much);
  };
  const look = ({ value }) => (value > 0 ? "up" : value < 0 ? "down" : "none");
  byId("reasons").replaceChildren(
    row("mark", "A case about which nothing is known", first, 0, 0),
    ...parts.map((part, place) => row(look(part), part.what, part.text, ...ends[place])),
    row("mark", "This case", last, total, total),
  );
}

function flips(found) {
  write({ "no-flips": found.none });
  show(found.none, "no-flips");
  show(found.options.length, "care");
  byId("flips").replaceChildren(...found.options.map(flip));
}

function flip(option, place) {
  const [title, button, told] = ["title", "button", "told"].map((part) => `flip-${place}-${part}`);
  const list = option.changes.flatMap(({ column, before, after }) => [
    make("dt", {}, column), make("dd", {}, make("bdi", {}, before), " → ", make("bdi", {}, after)),
  ]);
  // three buttons say the same: their names hold the title too
  const named = { id: button, type: "button", "aria-labelledby": `${button} ${title}`, "aria-describedby": told };
  const attempting = make("button", named, "Try this change");
  attempting.addEventListener("click", () => attempt(option.values));
  const words = make("p", { class: "told", id: told }, option.sentence);
  return make("li", {}, make("h4", { id: title }, option.title), make("dl", {}, ...list), words, attempting);
}

function attempt(changes) {
  for (const [name, value] of Object.entries(changes)) {
    const field = state.fields.get(name);
    if (!field) continue;
    setValue(field, value);
    reveal(field);
  }
  mark();
  ask();
  byId("results").scrollTop = 0;
  byId("results").focus(); // the button is about to go
}

function refused(found) {
  settle(new Map(found.problems.map((problem) => [problem.field, problem.message])));
  for (const field of state.fields.values()) {
    if (field.problem) reveal(field);
    if (field.spec.derived !== undefined) field.input.textContent = "–";
  }
  const count = found.problems.length;
  const says = `The model was not asked: ${counted(count, "field")} ${count === 1 ? "needs" : "need"} another value.`;
  fallback({ ...found.fallback, words: `${says} ${found.fallback.words}` });
  write({ "bar-said": "No answer: a field needs another value", summary: says });
  show(false, "answer", "strange", "detail");
}

async function begin() {
  const response = await call("form").catch(() => null);
  const form = response?.ok ? await response.json().catch(() => null) : null;
  if (!form) return trouble("The service does not answer.");
  build(form);
}

byId("form").addEventListener("submit", (event) => event.preventDefault());
byId("pick").addEventListener("change", () => start(chosenCase()));
byId("back").addEventListener("click", () => {
  start(chosenCase());
  byId("pick").focus(); // the button is about to go
});
byId("filter").addEventListener("input", filter);
byId("again").addEventListener("click", () => (state.form ? ask() : begin()));
begin();
