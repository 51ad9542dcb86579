// P(spoof) along the time: a bar for each window, at the height of its P(spoof). Windows overlap, and so do their bars.
import { drawn } from "./elements.js";

const HEIGHT = 220;
const MARGIN = { left: 38, right: 14, top: 12, bottom: 42 };
// Seconds between the marks of the time axis.
const STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600];

function describe(score) {
  const by = (better) => score.windows.reduce((best, window) =>
    better(window.spoof_probability, best.spoof_probability) ? window : best);
  const lowest = by((a, b) => a < b);
  const highest = by((a, b) => a > b);
  const at = (window) => `at ${window.start_seconds.toFixed(1)} seconds, ${window.spoof_probability.toFixed(4)}`;
  return `P(spoof) of ${score.windows.length} windows over ${score.duration_seconds.toFixed(1)} seconds: lowest ` +
    `${at(lowest)}, and highest ${at(highest)}. The threshold is ${score.threshold.toFixed(2)}.`;
}

export function chart(score, width) {
  const right = width - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const x = (seconds) => MARGIN.left + (seconds / score.duration_seconds) * (right - MARGIN.left);
  const y = (probability) => bottom - probability * (bottom - MARGIN.top);
  const line = (look, x1, y1, x2, y2) => drawn("line", { class: look, x1, y1, x2, y2 });
  const text = (words, x, y, anchor) => drawn("text", { x, y, "text-anchor": anchor }, words);

  const parts = [
    drawn("rect", { class: "panel", x: MARGIN.left, y: MARGIN.top, width: right - MARGIN.left, height: bottom - MARGIN.top }),
  ];
  for (const probability of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(line("grid", MARGIN.left, y(probability), right, y(probability)));
    if (probability % 0.5 === 0) parts.push(text(probability.toFixed(1), MARGIN.left - 8, y(probability) + 4, "end"));
  }
  const marks = Math.max(2, Math.floor(width / 80));
  const step = STEPS.find((step) => score.duration_seconds / step <= marks) ?? score.duration_seconds;
  for (let seconds = 0; seconds <= score.duration_seconds; seconds += step) {
    parts.push(line("grid", x(seconds), bottom, x(seconds), bottom + 5), text(String(seconds), x(seconds), bottom + 19, "middle"));
  }
  parts.push(text("seconds", (MARGIN.left + right) / 2, HEIGHT - 5, "middle"));
  parts.push(line("threshold", MARGIN.left, y(score.threshold), right, y(score.threshold)));
  for (const window of score.windows) {
    const look = window.spoof_probability > score.threshold ? "window spoof" : "window bonafide";
    const height = y(window.spoof_probability);
    // Round ends stick out by half the bar's thickness.
    parts.push(line(look, x(window.start_seconds) + 2, height, Math.max(x(window.end_seconds) - 2, x(window.start_seconds) + 3), height));
  }
  return drawn("svg", { class: "chart", role: "img", viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, "aria-label": describe(score) },
    ...parts);
}
