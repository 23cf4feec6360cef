// The form for a new job.
import { copied } from "./acts.js";
import { failed, say } from "./message.js";
import { graphPath } from "./place.js";
import { curl, submit } from "./request.js";
import { word } from "./words.js";

const $ = (id) => document.getElementById(id);
const KINDS = {
  vertices: ["vertices/action?action_id=query", '{"labels": ["noun"]}'],
  edges: ["edges/action?action_id=query", '{"labels": ["antonym"]}'],
  algorithm: ["action?action_id=execute-algorithm", '{"algorithmName": "pagerank", "parameters": {}}'],
};

export class New {
  // `done` is called when a job is stored.
  constructor(done) {
    this.done = done;
    $("kind").addEventListener("change", () => this.sample());
    $("new").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    $("first").addEventListener("click", () => this.open());
    $("new-copy").addEventListener("click", () => copied(curl(this.path, $("body").value)));
    this.sample();
  }

  open() {
    $("new-title").parentElement.open = true;
    $("kind").focus();
  }

  get path() {
    return `${graphPath()}/${KINDS[$("kind").value][0]}`;
  }

  sample() {
    $("body").value = KINDS[$("kind").value][1];
  }

  async submit() {
    try {
      const answer = await submit(this.path, $("body").value);
      this.done();
      say(word("stored", answer.jobId));
    } catch (error) {
      failed(error);
    }
  }
}
