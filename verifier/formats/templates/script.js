// The page is complete without this: it opens what a link points to, and filters by name.
const all = (query, root = document) => [...root.querySelectorAll(query)];
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", reveal);
if (location.hash) reveal();
const tools = document.querySelector(".tools");
if (tools) {
  tools.hidden = false;
  const [field, button, count] = [tools.querySelector("input"), tools.querySelector("button"), tools.querySelector("output")];
  const laws = all("details.law"), rules = all("details.rule"), lines = all(".matrix tbody tr");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (node) => words.every((word) => node.dataset.find.includes(word));
    for (const node of [...laws, ...lines]) node.hidden = !fits(node);
    for (const node of rules) {
      node.hidden = words.length > 0 && !node.querySelector("details.law:not([hidden])");
      node.open = words.length > 0 && !node.hidden;
    }
    count.textContent = words.length ? `${laws.filter((node) => !node.hidden).length} of ${laws.length} laws` : "";
  });
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", open);
    button.textContent = open ? "Close all" : "Open all";
    for (const node of rules) node.open = open && !node.hidden;
  });
}
