// Search, the switch between light and dark, and panes that move together. Without this script all is there, one below the other.
"use strict";

const root = document.body.dataset.root;
const all = (selector) => [...document.querySelectorAll(selector)];

// Light and dark
const button = document.querySelector("button.theme");
const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
button.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("theme", theme); } catch { /* a browser may keep nothing for files */ }
  label();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
label();

// One stage at a time: that of the address, or the first
const stages = all("section.stage");
const showStage = () => {
  const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const chosen = stages.find((stage) => stage === wanted) ?? stages.find((stage) => !stage.hidden) ?? stages[0];
  for (const stage of stages) stage.hidden = stage !== chosen;
  for (const link of all("nav.stages a")) {
    if (link.hash !== `#${chosen.id}`) {
      link.removeAttribute("aria-current");
      continue;
    }
    link.setAttribute("aria-current", "true");
    document.querySelector("nav.stages").scrollLeft = link.offsetLeft - 100;
  }
};
if (stages.length) {
  for (const stage of stages.slice(1)) stage.hidden = true;
  showStage();
  addEventListener("hashchange", showStage);
}

// On a narrow screen one tool at a time, the same in all panes
const showTool = (tool) => {
  for (const pane of all(".pane")) pane.classList.toggle("chosen", pane.dataset.tool === tool);
  for (const each of all(".panes-switch button")) each.setAttribute("aria-pressed", String(each.dataset.tool === tool));
};
for (const each of all(".panes-switch button")) each.addEventListener("click", () => showTool(each.dataset.tool));
showTool(document.querySelector(".panes-switch button")?.dataset.tool);

// Search: every word must be in an entry; those whose title has them all come first
const input = document.getElementById("search");
const found = document.getElementById("found");
const matches = (text, words) => words.every((word) => text.toLowerCase().includes(word));
const search = () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  found.hidden = words.length === 0;
  const titled = ENTRIES.filter((entry) => matches(entry.title, words));
  const others = ENTRIES.filter((entry) => !titled.includes(entry) && matches(`${entry.title} ${entry.text} ${entry.words}`, words));
  const links = [...titled, ...others].slice(0, 12).map((entry) => {
    const link = document.createElement("a");
    const more = document.createElement("small");
    link.href = root + entry.address;
    link.textContent = entry.title;
    more.textContent = `${entry.kind}: ${entry.text}`;
    link.append(more);
    return link;
  });
  const none = document.createElement("p");
  none.textContent = "Nothing found.";
  found.replaceChildren(...(links.length ? links : [none]));
};
input.addEventListener("input", search);
input.form.addEventListener("submit", (event) => {
  event.preventDefault();
  found.querySelector("a")?.click();
});
input.form.addEventListener("keydown", (event) => {
  const links = [input, ...found.querySelectorAll("a")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    links.at((links.indexOf(document.activeElement) + step) % links.length).focus();
  }
  if (event.key === "Escape") {
    found.hidden = true;
    input.focus();
  }
});
document.addEventListener("click", (event) => { if (!input.form.contains(event.target)) found.hidden = true; });
