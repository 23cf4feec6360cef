// Buttons that may not act now. Such a button is marked and not disabled: a disabled one would lose the focus.
export function allow(button, allowed) {
  button.setAttribute("aria-disabled", String(!allowed));
}

export const allowed = (button) => button.getAttribute("aria-disabled") !== "true";

export function make(name, act) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: name });
  button.addEventListener("click", () => act(button));
  return button;
}

export function label(button, text, full) {
  button.textContent = text;
  button.setAttribute("aria-label", full);
}
