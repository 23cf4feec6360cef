export const modified = ({ ctrlKey, altKey, metaKey }) => ctrlKey || altKey || metaKey;

// Keys that work wherever no text is typed.
const TYPING = "input, textarea, select, dialog";

// `acts` by key; each returns whether the key did something.
export function listen(acts) {
  document.addEventListener("keydown", (event) => {
    if (modified(event) || event.target.closest(TYPING)) return;
    if (acts[event.key]?.(event)) event.preventDefault();
  });
}
