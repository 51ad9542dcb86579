// Tabs, as https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ has them. The address names the one that is open.
import { $ } from "./elements.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const panel = (tab) => $(tab.getAttribute("aria-controls"));

function open(chosen) {
  for (const tab of tabs) {
    const selected = tab === chosen;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
    panel(tab).hidden = !selected;
  }
}

function show(tab) {
  open(tab);
  history.replaceState(null, "", `#${panel(tab).id}`);
}

function openNamed() {
  const tab = tabs.find((tab) => `#${panel(tab).id}` === location.hash);
  if (tab) open(tab);
  return tab;
}

export function start() {
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const last = tabs.length - 1;
      const next = {
        ArrowRight: index === last ? 0 : index + 1,
        ArrowLeft: index === 0 ? last : index - 1,
        Home: 0,
        End: last,
      }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      show(tabs[next]);
      tabs[next].focus();
    });
  }
  addEventListener("hashchange", () => {
    const tab = openNamed();
    if (tab) panel(tab).focus();
  });
  openNamed();
}
