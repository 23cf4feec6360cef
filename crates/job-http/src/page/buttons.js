// Buttons that may not act now. Such a button is marked and not disabled: a disabled one would lose the focus.
import { element } from "./put.js";

export function allow(button, allowed) {
  button.ariaDisabled = !allowed;
}

export const allowed = (button) => button.ariaDisabled !== "true";

export function make(name, act) {
  const button = element("button", { type: "button", className: name });
  button.addEventListener("click", () => act(button));
  return button;
}

export function label(button, text, full) {
  button.textContent = text;
  button.ariaLabel = full;
}
