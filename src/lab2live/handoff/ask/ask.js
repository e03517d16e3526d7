// The page on which people ask a model. Everything that comes from data goes through textContent or value, never
// through HTML. All state is in one object; an older answer never overwrites a newer one.

const WAIT = 150; // milliseconds of quiet before the model is asked
const SHOWN = 12; // fields before the others fold away
const FILTER_FROM = 15;

const state = { form: null, fields: new Map(), base: {}, before: null, asked: 0, running: null, timer: null };
const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

function show(element, visible) {
  element.hidden = !visible;
}

function write(id, text) {
  byId(id).textContent = text || "";
}

// --- The form ------------------------------------------------------------------------------------------------------

function plain(value) {
  if (value === null || value === undefined || value === "") return "not known";
  return typeof value === "number" ? value.toLocaleString("en", { maximumSignificantDigits: 6 }) : String(value);
}

function makeField(spec, number) {
  const id = `field-${number}`;
  const unit = spec.unit ? make("span", { class: "unit" }, ` (${spec.unit})`) : "";
  const note = make("p", { class: "note", id: `${id}-note` });
  const box = make("div", { class: "field" });
  const field = { spec, box, note, input: null, slider: null, hint: "", problem: "" };
  if (spec.derived !== undefined) {
    field.input = make("output", { id, "aria-labelledby": `${id}-name` });
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
  } else if (spec.kind === "date") {
    field.input = make("input", { ...common, type: "date" });
    field.hint = `from ${spec.low} to ${spec.high}`;
  } else {
    field.input = make("input", { ...common, type: "number", step: spec.whole ? "1" : "any", autocomplete: "off" });
    if (spec.optional) field.input.placeholder = "not known";
    field.hint = `from ${plain(spec.low)} to ${plain(spec.high)}`;
  }
  box.append(field.input);
  if (spec.kind === "number" && spec.high > spec.low) box.append((field.slider = makeSlider(field)));
  box.append(note);
  field.input.addEventListener("input", () => changed(field));
  return field;
}

// For the mouse and for fingers; the number beside it is for the keyboard and for screen readers.
function makeSlider(field) {
  const { low, high, whole } = field.spec;
  const step = whole ? 1 : Number(((high - low) / 200).toPrecision(1));
  const slider = make("input", { type: "range", min: low, max: high, step, tabindex: "-1", "aria-hidden": "true" });
  slider.addEventListener("input", () => {
    field.input.value = String(Number(Number(slider.value).toPrecision(6)));
    changed(field);
  });
  return slider;
}

function valueOf(field) {
  const { input, spec } = field;
  if (spec.kind !== "number") return input.value === "" ? null : input.value;
  if (input.validity.badInput) return "?"; // refused by the service, with a message at this field
  return input.value === "" ? null : Number(input.value);
}

function setValue(field, value) {
  if (field.spec.derived !== undefined) return;
  const text = value === null || value === undefined ? "" : String(value);
  if (field.spec.kind === "category" && text && ![...field.input.options].some((one) => one.value === text)) {
    field.input.append(make("option", { value: text }, text));
  }
  field.input.value = text;
  follow(field);
}

function follow(field) {
  if (field.slider && field.input.value !== "") field.slider.value = field.input.value;
}

function values() {
  const all = {};
  for (const [name, field] of state.fields) if (field.spec.derived === undefined) all[name] = valueOf(field);
  return all;
}

function changed(field) {
  follow(field);
  mark();
  clearTimeout(state.timer);
  state.timer = setTimeout(ask, WAIT);
}

function differs(field) {
  return field.spec.derived === undefined && valueOf(field) !== (state.base[field.spec.name] ?? null);
}

function mark() {
  let count = 0;
  for (const field of state.fields.values()) {
    const other = differs(field);
    count += other;
    field.box.classList.toggle("differs", other);
    field.box.classList.toggle("wrong", field.problem !== "");
    const was = other ? `changed, was ${plain(state.base[field.spec.name])}` : "";
    const locked = field.spec.locked ? `no change is proposed here: ${field.spec.locked}` : "";
    const lines = [was, field.hint, locked].filter(Boolean).join(" · ");
    field.note.replaceChildren(
      ...(field.problem ? [make("span", { class: "problem" }, field.problem), " "] : []),
      lines,
    );
    if (field.problem) field.input.setAttribute("aria-invalid", "true");
    else field.input.removeAttribute("aria-invalid");
  }
  write("changed", count ? `${count} ${count === 1 ? "field" : "fields"} changed` : "");
  show(byId("back"), count > 0);
}

function start(chosen) {
  state.base = { ...chosen };
  state.before = null;
  for (const [name, field] of state.fields) {
    field.problem = "";
    setValue(field, chosen[name]);
    // what the browser makes of a value is what it is compared with: a list may not hold it
    if (field.spec.derived === undefined) state.base[name] = valueOf(field);
  }
  mark();
  ask();
}

function chosenCase() {
  const place = Number(byId("pick").value);
  return place < state.form.cases.length ? state.form.cases[place].values : {};
}

function build(form) {
  state.form = form;
  document.title = `${form.title}: ask the model`;
  write("title", form.title);
  write("question", form.question);
  write("about", `predicts ${form.target}`);
  write("notice", form.notice);
  show(byId("notice"), Boolean(form.notice));
  byId("pick").replaceChildren(
    ...form.cases.map((one, place) => make("option", { value: place }, one.title)),
    make("option", { value: form.cases.length }, "An empty form"),
  );
  state.fields = new Map(form.fields.map((spec, number) => [spec.name, makeField(spec, number)]));
  const boxes = [...state.fields.values()].map((field) => field.box);
  const many = boxes.length > FILTER_FROM;
  byId("fields").replaceChildren(...boxes.slice(0, many ? SHOWN : boxes.length));
  byId("others").replaceChildren(...(many ? boxes.slice(SHOWN) : []));
  show(byId("more"), many);
  show(byId("search"), many);
  byId("more").querySelector("summary").textContent = `${boxes.length - SHOWN} more fields that matter less`;
  start(chosenCase());
}

function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  for (const [name, field] of state.fields) show(field.box, name.toLowerCase().includes(wanted));
  if (wanted) byId("more").open = true;
}

// --- The answer ----------------------------------------------------------------------------------------------------

async function ask() {
  clearTimeout(state.timer);
  const number = ++state.asked;
  state.running?.abort();
  state.running = new AbortController();
  byId("results").setAttribute("aria-busy", "true");
  try {
    const response = await fetch("explain", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ values: values() }),
      signal: state.running.signal,
    });
    const content = await response.json();
    if (number !== state.asked) return;
    show(byId("trouble"), false);
    if (response.ok) answered(content);
    else if (content.problems) refused(content);
    else trouble(content.message || `The service answered with an error (${response.status}).`);
  } catch (error) {
    if (error.name === "AbortError" || number !== state.asked) return;
    trouble("The service does not answer. What you filled in is still here.");
  }
  if (number === state.asked) byId("results").removeAttribute("aria-busy");
}

function trouble(message) {
  byId("trouble").firstElementChild.textContent = message;
  show(byId("trouble"), true);
  byId("results").removeAttribute("aria-busy");
}

function clearProblems() {
  for (const field of state.fields.values()) field.problem = "";
}

function answered(found) {
  clearProblems();
  mark();
  for (const [name, value] of Object.entries(found.derived)) write(state.fields.get(name)?.input.id, plain(value));
  const { answer } = found;
  write("said", answer.said);
  write("output", answer.share === null ? "" : `so the output is ${answer.output}`);
  write("bar-said", `${answer.said}${answer.share === null ? "" : ` · ${answer.output}`}`);
  write("why-line", answer.why);
  meter(answer);
  state.before ??= answer;
  const moved = state.before.said !== answer.said || state.before.output !== answer.output;
  write("was", moved ? `${full(state.before)} → ${full(answer)}` : "");
  fallback(found.fallback);
  byId("strange").replaceChildren(...found.unfamiliar.map((text) => make("li", {}, text)));
  show(byId("strange"), found.unfamiliar.length > 0);
  write("alike", found.confidence.words);
  show(byId("alike"), Boolean(found.confidence.words));
  write("set", found.confidence.set);
  reasons(found.reasons);
  flips(found.flips);
  show(byId("answer"), true);
  show(byId("detail"), true);
  write("summary", `${full(answer)}. ${found.confidence.set} ${found.fallback.would ? found.fallback.words : ""}`);
}

function full(answer) {
  return answer.share === null ? answer.said : `${answer.said}, output ${answer.output}`;
}

function meter(answer) {
  const box = byId("meter");
  show(box, answer.share !== null);
  if (answer.share === null) return;
  box.querySelector(".filled").style.width = `${100 * answer.share}%`;
  const line = box.querySelector(".line");
  show(line, answer.line !== null);
  if (answer.line !== null) line.style.left = `${100 * answer.line}%`;
  const at = answer.line === null ? "" : `, the line is at ${Math.round(100 * answer.line)} %`;
  box.setAttribute("aria-label", `${answer.said}${at}`);
}

function fallback(found) {
  write("fallback", found.words);
  byId("fallback").classList.toggle("steps-in", found.would);
}

// A waterfall: every bar starts where the one before ended.
function reasons(found) {
  write("from", `From ${found.start} for a case about which nothing is known, to ${found.end} for this one:`);
  let total = 0;
  const ends = found.parts.map((part) => [total, (total += part.value)]);
  const low = Math.min(0, ...ends.flat());
  const span = Math.max(0, ...ends.flat()) - low || 1;
  byId("reasons").replaceChildren(
    ...found.parts.map((part, place) => {
      const [from, to] = ends[place];
      const piece = make("span", { class: part.value < 0 ? "piece down" : "piece" });
      piece.style.left = `${(100 * (Math.min(from, to) - low)) / span}%`;
      piece.style.width = `${(100 * Math.abs(to - from)) / span}%`;
      const sign = part.value > 0 ? "▲ " : part.value < 0 ? "▼ " : "";
      return make(
        "li",
        {},
        make("span", { class: "what" }, part.what),
        make("span", { class: "track", "aria-hidden": "true" }, part.value === 0 ? "" : piece),
        make("span", { class: "much" }, make("span", { "aria-hidden": "true" }, sign), part.text),
      );
    }),
  );
}

function flips(found) {
  write("no-flips", found.none);
  show(byId("no-flips"), Boolean(found.none));
  byId("flips").replaceChildren(...found.options.map(flip));
}

function flip(option, place) {
  const list = make("dl");
  for (const change of option.changes) {
    list.append(make("dt", {}, change.column), make("dd", {}, `${change.before} → ${change.after}`));
  }
  const button = make("button", { type: "button", "aria-describedby": `flip-${place}` }, "Try this change");
  button.addEventListener("click", () => attempt(option.values));
  const told = make("p", { class: "told", id: `flip-${place}` }, option.sentence);
  return make("li", {}, make("h4", {}, option.title), list, told, button);
}

function attempt(changes) {
  for (const [name, value] of Object.entries(changes)) {
    const field = state.fields.get(name);
    if (field) setValue(field, value);
  }
  mark();
  ask();
  byId("results").scrollTop = 0;
  byId("results").focus(); // the button is about to go
}

function refused(found) {
  clearProblems();
  for (const problem of found.problems) {
    const field = state.fields.get(problem.field);
    if (field) field.problem = problem.message;
  }
  mark();
  const count = found.problems.length;
  const says = `The model was not asked: ${count} ${count === 1 ? "field needs" : "fields need"} another value.`;
  fallback({ ...found.fallback, words: `${says} ${found.fallback.words}` });
  write("bar-said", "No answer: a field needs another value");
  write("summary", says);
  show(byId("answer"), false);
  show(byId("strange"), false);
  show(byId("detail"), false);
}

// --- Start ---------------------------------------------------------------------------------------------------------

async function begin() {
  try {
    const response = await fetch("form");
    if (!response.ok) throw new Error(response.statusText);
    const form = await response.json();
    show(byId("trouble"), false);
    build(form);
  } catch {
    trouble("The service does not answer.");
  }
}

byId("form").addEventListener("submit", (event) => event.preventDefault());
byId("pick").addEventListener("change", () => start(chosenCase()));
byId("back").addEventListener("click", () => {
  start(chosenCase());
  byId("pick").focus();
});
byId("filter").addEventListener("input", filter);
byId("again").addEventListener("click", () => (state.form ? ask() : begin()));
begin();
