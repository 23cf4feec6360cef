// The message about an action, at the foot of the page.
import { Refusal } from "./service.js";
import { word } from "./words.js";

const line = document.getElementById("message");

export function say(text, bad = false) {
  line.textContent = text;
  line.classList.toggle("bad", bad);
}

// A refusal is the service's own sentence; anything else means that there was no answer.
export const failed = (error) => say(error instanceof Refusal ? error.message : word("lost", error.message), true);
