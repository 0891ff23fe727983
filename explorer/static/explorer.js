// Shortcuts and progress. Every page works without this script: each shortcut presses a link or button
// that is on the page, and a page with progress can be reloaded.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const target = event.target;
  if (target instanceof Element && target.closest("input, select, textarea")) return;
  // A drawing that scrolls keeps the arrow keys while it has the focus.
  if (target instanceof Element && target.closest(".scroll") && event.key.startsWith("Arrow")) return;
  const focus = document.querySelector(`[data-focus="${CSS.escape(event.key)}"]`);
  const control = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (focus) {
    event.preventDefault();
    focus.focus();
  } else if (control) {
    event.preventDefault();
    control.click();
  }
});

const progress = document.querySelector("[data-poll]");
if (progress) {
  const poll = async () => {
    try {
      const answer = await (await fetch(progress.dataset.poll)).json();
      if (answer.state !== "running") {
        location.reload();
        return;
      }
      for (const place of progress.querySelectorAll("[data-value]")) {
        place.textContent = Number(answer[place.dataset.value]).toLocaleString("en");
      }
      setTimeout(poll, 500);
    } catch {
      progress.append(" The server does not answer.");
    }
  };
  setTimeout(poll, 500);
}
