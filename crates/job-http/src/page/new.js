// The form for a new job.
import { copy, told } from "./copy.js";
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
  constructor(say, failed, done) {
    Object.assign(this, { say, failed, done });
    $("kind").addEventListener("change", () => this.sample());
    $("new").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    $("new-copy").addEventListener("click", () => this.copy());
    this.sample();
  }

  get action() {
    return KINDS[$("kind").value][0];
  }

  sample() {
    $("body").value = KINDS[$("kind").value][1];
  }

  async copy() {
    const text = curl(`${graphPath()}/${this.action}`, $("body").value);
    this.say(await copy(text) ? word("copied", told(text)) : word("notCopied"));
  }

  async submit() {
    try {
      const answer = await submit(this.action, $("body").value);
      this.done();
      this.say(word("stored", answer.jobId));
    } catch (error) {
      this.failed(error);
    }
  }
}
