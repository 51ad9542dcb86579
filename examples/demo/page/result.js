// The result card.
import { chart } from "./chart.js";
import { $, element, facts, table } from "./elements.js";
import { confidence, note, percent, signed, verdict } from "./words.js";

// The address of the recording that can be played, which holds its memory until it is given back.
let playing = null;
const resized = new ResizeObserver(([entry]) => redraw(entry.contentRect.width));
let redraw = () => {};

function player(recording) {
  playing = URL.createObjectURL(recording);
  const audio = element("audio", { controls: "", src: playing, "aria-label": "Play the recording" });
  // What can be scored can't always be played.
  audio.addEventListener("error", () => audio.remove());
  return audio;
}

function picture(score) {
  const holder = element("div");
  redraw = (width) => {
    if (width > 0) holder.replaceChildren(chart(score, Math.round(width)));
  };
  resized.observe(holder);
  const caption = element("figcaption", {},
    "P(spoof) along the time, a bar for each window: 0 is a person, 1 a machine. Dashed: the threshold.");
  return element("figure", {}, holder, caption);
}

function numbers(score) {
  const rows = score.windows.map((window) => [
    `${window.start_seconds.toFixed(2)} to ${window.end_seconds.toFixed(2)} s`,
    window.spoof_probability.toFixed(4),
    signed(window.llr, 3),
  ]);
  return element("details", {}, element("summary", {}, "P(spoof) in numbers"),
    table("P(spoof) of each window", ["Window", "P(spoof)", "Log-likelihood ratio"], rows));
}

function quality(score) {
  const { level_dbfs, clipped, bandwidth_hz, voiced_seconds } = score.quality;
  return element("details", {}, element("summary", {}, "Quality of the recording"),
    element("dl", { class: "facts" }, ...facts([
      ["Length", `${score.duration_seconds.toFixed(2)} s`],
      ["Voice heard for", `${voiced_seconds.toFixed(2)} s (of speech, about half is voiced)`],
      ["Level", `${signed(level_dbfs, 1)} dB of full scale (speech is at −35 to −15)`],
      ["Clipped samples", percent(clipped, 3)],
      ["Something to hear up to", `${(bandwidth_hz / 1000).toFixed(2)} kHz (of 8)`],
      ["Log-likelihood ratio", `${signed(score.llr, 3)} (higher: more likely a person)`],
      ["Model", score.model],
      ["Runtime", score.runtime],
    ])));
}

function notes(score) {
  if (score.notes.length === 0) return [];
  const list = element("ul", {}, ...score.notes.map((text) => element("li", {}, note(text))));
  return [element("div", { class: "warning" }, element("p", {}, "Trust this less:"), list)];
}

export function clear() {
  resized.disconnect();
  if (playing) URL.revokeObjectURL(playing);
  playing = null;
  $("result").hidden = true;
  $("result").replaceChildren();
}

export function show(name, recording, truth, score) {
  clear();
  const { look, shape, words } = verdict(score);
  const tile = (name, value) => element("div", {}, element("dt", {}, name), element("dd", {}, value));
  const speech = score.verdict !== "no_speech";
  $("result").append(element("article", { class: "card" },
    element("h3", { id: "result-heading" }, element("bdi", {}, name)),
    element("p", { class: "verdict" }, element("span", { class: look, "aria-hidden": "true" }, shape), ` ${words}`),
    element("p", {}, confidence(score)),
    ...(truth ? [element("p", { class: "quiet" }, truth)] : []),
    ...notes(score),
    element("dl", { class: "tiles" },
      tile("P(spoof)", score.spoof_probability.toFixed(4)),
      tile("Confidence", speech ? percent(score.confidence, 1) : "–"),
      tile("Length", `${score.duration_seconds.toFixed(1)} s`)),
    player(recording),
    picture(score),
    numbers(score),
    quality(score)));
  $("result").hidden = false;
  return words;
}
