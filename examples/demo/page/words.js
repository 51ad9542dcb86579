// Verdicts and notes in plain words: those of the report of the example `score`.

// How near to the threshold is undecided: a fifth of the way from it to either end.
const NEAR = 0.2;

const VERDICTS = {
  spoof: { look: "spoof", shape: "▲", words: "Probably machine-made" },
  bonafide: { look: "bonafide", shape: "●", words: "Probably a person" },
  undecided: { look: "undecided", shape: "◆", words: "Undecided" },
  no_speech: { look: "no-speech", shape: "○", words: "No speech found" },
};

const NOTES = {
  "shorter than a second": "Too short: under a second, most of what the detector heard is silence that it added.",
  "digital silence": "Silence: there is nothing to hear at all.",
  "very quiet": "Very quiet: noise may drown the voice.",
  "clipped": "Clipped: the recording is overdriven, which changes the voice.",
  "narrow band, like a telephone":
    "Band-limited like a telephone: nothing above 4 kHz, where machines often give themselves away.",
  "no speech": "No speech: what is heard is silence, noise, a tone, or too short to tell.",
};

function kind(score) {
  const { verdict, threshold, spoof_probability: spoof } = score;
  if (verdict === "spoof" && spoof - threshold < NEAR * (1 - threshold)) return "undecided";
  if (verdict === "bonafide" && threshold - spoof < NEAR * threshold) return "undecided";
  return verdict;
}

export const verdict = (score) => VERDICTS[kind(score)];

export const note = (note) => NOTES[note] ?? `Note: ${note}.`;

export function confidence(score) {
  const spoof = score.spoof_probability.toFixed(4);
  const threshold = score.threshold.toFixed(2);
  switch (kind(score)) {
    case "no_speech":
      return `There is no voice to judge, so P(spoof), ${spoof}, means nothing.`;
    case "undecided": {
      const called = score.label === "spoof" ? "spoof" : "bona fide";
      return `P(spoof) is ${spoof}, near the threshold of ${threshold}: take that as no answer. Forced to choose, the ` +
        `detector calls it ${called}.`;
    }
    default:
      return `The detector is ${percent(score.confidence, 1)} confident: P(spoof) is ${spoof}, and above ${threshold} ` +
        "it calls a voice spoof.";
  }
}

export const percent = (share, digits = 2) => `${(100 * share).toFixed(digits)}\u00a0%`;

// A number with a real minus.
export const signed = (number, digits) => number.toFixed(digits).replace("-", "−");
