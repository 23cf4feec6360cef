// The form for a new job: fields for the parameters that the service declares, or JSON.
import { copied, refused } from "./acts.js";
import { Field } from "./field.js";
import { members, pretty } from "./json.js";
import { say } from "./message.js";
import { graphPath } from "./place.js";
import { $, on, put } from "./put.js";
import { bodyOf, curl, pathOf, submit } from "./request.js";
import { Refusal, call } from "./service.js";
import { word } from "./words.js";

const SAMPLES = { vertex_filter: '{"labels": ["noun"]}', edge_filter: '{"labels": ["antonym"]}', algorithm: '{"algorithmName": "pagerank", "parameters": {}}' };
const NAMES = { vertex_filter: "vertexFilter", edge_filter: "edgeFilter", algorithm: "algorithm" };
// The work that a service takes which declares nothing.
const OLDER = Object.keys(NAMES).map((kind) => ({ kind }));
const SAMPLE = () => [`${graphPath()}/${pathOf("pagerank")}`, SAMPLES.algorithm];

export class New {
  // `done` is called when a job is stored.
  constructor(done) {
    Object.assign(this, { done, kinds: OLDER, fields: [], graph: undefined });
    $("new-title").parentElement.addEventListener("toggle", () => this.learn());
    on("change", { kind: () => this.begin(), "as-json": () => this.turn() });
    on("submit", { new: (event) => { event.preventDefault(); this.send(); } });
    on("click", {
      first: () => this.open(),
      "new-copy": () => copied(curl(this.path, this.body)),
      sample: () => this.submit(...SAMPLE()),
      "sample-copy": () => copied(curl(...SAMPLE())),
    });
    this.offer();
    this.begin();
  }

  // A store without jobs has one to try.
  try() {
    put($("sample-text"), curl(...SAMPLE()));
  }

  // Asks what this graph can do, once.
  async learn() {
    const path = graphPath();
    if (this.graph === path || !$("new-title").parentElement.open) return;
    this.graph = path;
    const found = (await call(`${path}/kinds`).catch(() => ({}))).kinds;
    if (this.graph !== path) return;
    const { value } = $("kind");
    this.kinds = found?.length ? found : OLDER;
    this.offer();
    if (found?.length || value !== $("kind").value) this.begin();
  }

  offer() {
    const { value } = $("kind");
    $("kind").replaceChildren(...this.kinds.map(({ kind }) => new Option(NAMES[kind] ? word(NAMES[kind]) : kind, kind)));
    if (this.kinds.some(({ kind }) => kind === value)) $("kind").value = value;
  }

  get kind() {
    return this.kinds.find(({ kind }) => kind === $("kind").value);
  }

  // Fields for this kind of work, or JSON where nothing is declared.
  begin() {
    const { kind, parameters, description } = this.kind;
    this.fields = (parameters ?? []).map((parameter) => new Field(parameter));
    $("fields").replaceChildren(...this.fields.map(({ box }) => box));
    put($("kind-about"), description ?? "");
    $("body").value = SAMPLES[kind] ?? bodyOf(kind, "{}");
    this.show(!parameters);
    $("as-json").disabled = !parameters;
  }

  show(asJson) {
    $("as-json").checked = asJson;
    $("body").hidden = !asJson;
    $("fields").hidden = asJson;
    put($("new-trouble"), "");
  }

  get path() {
    return `${graphPath()}/${pathOf(this.kind.kind)}`;
  }

  get body() {
    if ($("as-json").checked) return $("body").value;
    const all = this.fields.map(({ name, json }) => [name, json]).filter(([, json]) => json !== undefined);
    return bodyOf(this.kind.kind, `{${all.map(([name, json]) => `${JSON.stringify(name)}: ${json}`).join(", ")}}`);
  }

  // From fields to JSON and back. Text that is no JSON stays as it is.
  turn() {
    const asJson = $("as-json").checked;
    $("as-json").checked = !asJson;
    const { body } = this;
    if (asJson) $("body").value = pretty(body);
    else if (!this.fill(body)) {
      $("as-json").checked = true;
      put($("new-trouble"), word("noFields"));
      return;
    }
    this.show(asJson);
  }

  // Puts the parameters of a request into the fields; false if they do not fit.
  fill(body) {
    try {
      JSON.parse(body);
      const all = members(body);
      const parameters = all.has("algorithmName") ? members(all.get("parameters") ?? "{}") : all;
      if ([...parameters.keys()].some((name) => !this.fields.some((field) => field.name === name))) return false;
      for (const field of this.fields) field.json = parameters.get(field.name);
      return true;
    } catch {
      return false;
    }
  }

  // Opens the form, with the request of another job if there is one.
  async open(kind, body) {
    $("new-title").parentElement.open = true;
    await this.learn();
    if (body !== undefined) {
      $("kind").value = this.kinds.some((one) => one.kind === kind) ? kind : "algorithm";
      if ($("kind").selectedIndex < 0) $("kind").selectedIndex = 0;
      this.begin();
      $("body").value = pretty(body);
      this.show(this.fields.length === 0 || !this.fill(body));
    }
    $("kind").focus();
  }

  async send() {
    put($("new-trouble"), "");
    const wrong = $("as-json").checked ? [] : this.fields.filter((field) => !field.check());
    if (wrong.length) wrong[0].control.focus();
    else await this.submit(this.path, this.body);
  }

  async submit(path, body) {
    try {
      const answer = await submit(path, body);
      this.done();
      say(word("stored", answer.jobId));
    } catch (error) {
      this.refused(error);
    }
  }

  // A refusal stands beside the field that it names, or below the form.
  refused(error) {
    if (!(error instanceof Refusal) || error.status === 403 || !$("new").checkVisibility()) {
      refused(error, "submit");
      return;
    }
    say("");
    const field = $("as-json").checked ? undefined : this.fields.find(({ name }) => error.plain.startsWith(`parameter ${name} `));
    if (!field) put($("new-trouble"), error.message);
    field?.tell(error.message);
    field?.control.focus();
  }
}
