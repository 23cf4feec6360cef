// The form for a new job.
import { graphPath } from "./place.js";
import { call } from "./service.js";
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
    this.sample();
  }

  sample() {
    $("body").value = KINDS[$("kind").value][1];
  }

  async submit() {
    try {
      const [path] = KINDS[$("kind").value];
      const answer = await call(`${graphPath()}/${path}`, { method: "POST", body: $("body").value });
      this.done();
      this.say(word("submitted", answer.jobId));
    } catch (error) {
      this.failed(error);
    }
  }
}
