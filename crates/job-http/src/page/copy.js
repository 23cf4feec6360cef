// Copies a text. The clipboard of a browser needs HTTPS or this machine; elsewhere a selection is copied.
function copySelected(text) {
  const back = document.activeElement;
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  back?.focus();
  return done;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

// The message about a copied text.
export const told = (text) => (text.length > 160 ? `${text.slice(0, 160)} …` : text);
