// How well the embedded model and the large one do. What was measured and what was published is never mixed.
import { get } from "./api.js";
import { $, element, table } from "./elements.js";
import { percent } from "./words.js";

const NAMES = {
  "asvspoof2019-la": "ASVspoof 2019 LA",
  "asvspoof2021-la": "ASVspoof 2021 LA",
  wavefake: "WaveFake",
};
const PARTITIONS = { dev: ", development", eval: ", evaluation" };

const count = (number) => number?.toLocaleString("en") ?? "–";

// Under the rate, so that the table fits a phone.
function between(interval) {
  if (!interval) return [];
  const [low, high] = interval;
  return [element("br"), element("span", { class: "quiet" }, `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %`)];
}

function measured(figures, embedded) {
  const parts = [];
  if (!embedded) {
    parts.push(element("p", { class: "warning" }, "The model in use is another one: these figures are not about it."));
  }
  if (!figures?.sets?.length) return [...parts, element("p", {}, "Not measured.")];
  const rows = figures.sets.map(({ name, eer, eer_ci95: interval, trials }) => [
    name,
    element("span", {}, percent(eer), ...between(interval)),
    count(trials),
  ]);
  return [...parts, table("Measured error rates of the embedded model", ["Data", "EER, 95 % interval", "Trials"], rows)];
}

function published(figures) {
  if (!figures) return [element("p", {}, "Not known.")];
  const rows = figures.results.map(({ dataset, partition, eer, bonafide, spoof }) => [
    (NAMES[dataset] ?? dataset) + (PARTITIONS[partition] ?? ""),
    percent(eer),
    count(bonafide && spoof && bonafide + spoof),
  ]);
  return [
    element("p", {}, "Its authors’ figures of ", element("code", {}, figures.model), ". Source: ", figures.source, "."),
    table("Published error rates of the large model", ["Data", "EER, published", "Trials"], rows),
    element("p", {}, "Known weaknesses, as published:"),
    element("ul", {}, ...(figures.weaknesses ?? []).map((text) => element("li", {}, text))),
  ];
}

export async function show(embedded) {
  try {
    const figures = await get("/figures.json");
    $("measured").replaceChildren(...measured(figures.measured, embedded));
    $("published").replaceChildren(...published(figures.published));
  } catch (error) {
    for (const id of ["measured", "published"]) {
      $(id).replaceChildren(element("p", {}, `The figures can’t be shown: ${error.message}`));
    }
  }
}
