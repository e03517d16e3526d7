import { call } from "./call.js";

const byId = (id) => document.getElementById(id);
const REASONS = {
  invalid_input: "the input breaks the contract",
  out_of_distribution: "the model has never seen anything like it",
  low_confidence: "the model is not sure enough",
  model_error: "the model failed",
  time_out: "the model took too long",
  integrity: "the model's file is missing or was changed",
  drift: "the data are declared to have drifted",
};

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function trouble(message) {
  byId("trouble").firstElementChild.textContent = message;
  byId("trouble").hidden = message === "";
}

const written = (value) =>
  value === null ? "not known" : typeof value === "object" ? JSON.stringify(value) : String(value);

function shown(one, outputs) {
  const rows = Object.entries(one.values).map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, written(value))));
  const came = new Date(one.came).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
  const why = `${came}: ${REASONS[one.reason] ?? one.reason}.${one.detail ? ` ${one.detail}` : ""}`;
  const box = make("section", { class: "review", "aria-label": `Case ${one.id}` },
    make("h2", {}, `Case ${one.id}`), make("p", {}, why),
    make("table", {}, make("tbody", {}, ...rows)));
  const buttons = make("p", { class: "decide" });
  if (outputs.length) {
    for (const output of outputs) {
      const button = make("button", { type: "button" }, `Decide '${output}'`);
      button.addEventListener("click", () => decide(one.id, output, box));
      buttons.append(button, " ");
    }
  } else {
    const number = make("input", { type: "number", step: "any", "aria-label": "Your decision" });
    const button = make("button", { type: "button" }, "Decide");
    button.addEventListener("click", () => number.value && decide(one.id, number.valueAsNumber, box));
    buttons.append(number, " ", button);
  }
  box.append(buttons);
  return box;
}

async function decide(id, output, box) {
  const who = byId("who").value.trim();
  if (!who) {
    trouble("Your name is needed: it is kept with the decision.");
    byId("who").focus();
    return;
  }
  const what = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ output, who }) };
  const response = await call(`review/cases/${id}`, what).catch(() => null);
  if (!response) return trouble("The service does not answer. Nothing was decided.");
  const content = await response.json().catch(() => ({}));
  if (!response.ok && response.status !== 409) return trouble(content.message || "The service answered with an error.");
  trouble(response.ok ? "" : content.message);
  box.remove();
  begin(false);
}

async function begin(calm = true) {
  const response = await call("review/cases").catch(() => null);
  const content = response?.ok ? await response.json().catch(() => null) : null;
  if (!content) return trouble("The service does not answer.");
  if (calm) trouble("");
  const count = content.waiting;
  byId("waiting").textContent = !content.kept
    ? "This service keeps no cases: it was started without --state."
    : count === 0 ? "No case waits." : `${count} ${count === 1 ? "case waits" : "cases wait"}.`;
  byId("cases").replaceChildren(...content.cases.map((one) => shown(one, content.outputs)));
}

byId("again").addEventListener("click", () => begin());
begin();
