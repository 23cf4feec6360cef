// The form for a new job.
import { copied, refused } from "./acts.js";
import { say } from "./message.js";
import { graphPath } from "./place.js";
import { put } from "./put.js";
import { curl, submit } from "./request.js";
import { word } from "./words.js";

const $ = (id) => document.getElementById(id);
const KINDS = {
  vertices: ["vertices/action?action_id=query", '{"labels": ["noun"]}'],
  edges: ["edges/action?action_id=query", '{"labels": ["antonym"]}'],
  algorithm: ["action?action_id=execute-algorithm", '{"algorithmName": "pagerank", "parameters": {}}'],
};

const SAMPLE_PATH = () => `${graphPath()}/${KINDS.algorithm[0]}`;
const SAMPLE = '{"algorithmName": "pagerank", "parameters": {}}';

export class New {
  // `done` is called when a job is stored.
  constructor(done) {
    this.done = done;
    $("kind").addEventListener("change", () => this.sample());
    $("new").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    $("first").addEventListener("click", () => this.open());
    $("new-copy").addEventListener("click", () => copied(curl(this.path, $("body").value)));
    $("sample").addEventListener("click", () => this.submit(SAMPLE_PATH(), SAMPLE));
    $("sample-copy").addEventListener("click", () => copied(curl(SAMPLE_PATH(), SAMPLE)));
    this.sample();
  }

  // A store without jobs has one to try.
  offer() {
    put($("sample-text"), curl(SAMPLE_PATH(), SAMPLE));
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

  async submit(path = this.path, body = $("body").value) {
    try {
      const answer = await submit(path, body);
      this.done();
      say(word("stored", answer.jobId));
    } catch (error) {
      refused(error, "submit");
    }
  }
}
