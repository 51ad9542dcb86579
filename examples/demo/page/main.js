// The page: what people do, and what they get to see.
import * as api from "./api.js";
import { $, facts } from "./elements.js";
import * as microphone from "./microphone.js";
import * as performance from "./performance.js";
import * as result from "./result.js";
import * as tabs from "./tabs.js";

const EXAMPLES = {
  person: {
    name: "Example: a person",
    path: "/examples/person.wav",
    truth: "For certain, this one is a person, who read a novel for LibriVox.",
  },
  machine: {
    name: "Example: a machine",
    path: "/examples/machine.flac",
    truth: "For certain, this one is a machine: eSpeak NG.",
  },
};
// Nobody needs to speak for longer.
const MOST_SECONDS = 60;

// Until the program has said what it takes.
let limits = { max_bytes: Infinity, max_seconds: Infinity };
// What is being scored; something new takes its place.
let current = null;
let recorder = null;

function say(text) {
  $("status").textContent = text;
}

function fail(message) {
  say("");
  $("error").textContent = `That did not work: ${message}`;
  $("error").hidden = false;
}

async function score(name, source, truth) {
  current?.abort();
  const mine = new AbortController();
  current = mine;
  $("error").hidden = true;
  result.clear();
  say(`Listening to ${name} …`);
  try {
    const recording = await source();
    if (recording.size > limits.max_bytes) {
      throw new Error(`the recording is larger than ${limits.max_bytes / 1e6} MB; cut it into shorter ones`);
    }
    const answer = await api.score(recording, mine.signal);
    if (current !== mine) return;
    const words = result.show(name, recording, truth, answer);
    say(`${words}. P(spoof) is ${answer.spoof_probability.toFixed(4)}. More below.`);
    $("result").scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (current === mine) fail(error.message);
  }
}

function scoreFile(file) {
  if (file) score(file.name, async () => file);
}

function fileInput() {
  $("file").addEventListener("change", () => {
    scoreFile($("file").files[0]);
    // So that the same file can be chosen again.
    $("file").value = "";
  });
  const drop = $("drop");
  // A file that misses would otherwise be opened in place of the page.
  for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
  drop.addEventListener("dragover", () => drop.classList.add("over"));
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    scoreFile(event.dataTransfer.files[0]);
  });
}

function examples() {
  for (const [key, { name, path, truth }] of Object.entries(EXAMPLES)) {
    $(`example-${key}`).addEventListener("click", () => score(name, () => api.getBlob(path), truth));
  }
}

function heard({ seconds, peak, full }) {
  // Falls slowly, so that it can be seen.
  $("level").value = Math.max(peak, 0.95 * $("level").value);
  const whole = Math.floor(seconds);
  $("timer").textContent = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  if (full) stopRecording(true);
}

async function startRecording() {
  $("record").disabled = true;
  $("error").hidden = true;
  try {
    recorder = await microphone.record(Math.min(MOST_SECONDS, limits.max_seconds), heard);
    $("record").textContent = "Stop and score";
    $("recording").hidden = false;
    $("discard").hidden = false;
    say("Recording.");
  } catch (error) {
    fail(microphone.explain(error));
  }
  $("record").disabled = false;
}

async function stopRecording(keep) {
  if (!recorder) return;
  const stopped = recorder;
  recorder = null;
  $("record").textContent = "Record";
  $("recording").hidden = true;
  $("discard").hidden = true;
  $("level").value = 0;
  $("timer").textContent = "0:00";
  $("record").focus();
  const recording = await stopped.stop();
  if (keep) score("Your recording", async () => recording);
  else say("Discarded.");
}

function recording() {
  if (!microphone.available()) {
    $("record").disabled = true;
    $("microphone-hint").textContent = "Not here: browsers give a microphone only to pages from this machine or over HTTPS.";
    return;
  }
  $("record").addEventListener("click", () => (recorder ? stopRecording(true) : startRecording()));
  $("discard").addEventListener("click", () => stopRecording(false));
}

async function about() {
  $("origin").textContent = location.origin;
  try {
    const info = await api.get("/api/info");
    limits = info.limits;
    $("file-limits").textContent = `, up to ${limits.max_bytes / 1e6} MB and ${limits.max_seconds} s`;
    $("window").textContent = info.window_seconds;
    $("hop").textContent = info.hop_seconds;
    $("limit-embedded").hidden = !info.embedded_model;
    $("footer").textContent = `bonafide ${info.version} · model: ${info.model} · ${info.runtime}`;
    $("facts").replaceChildren(...facts([
      ["Program", `bonafide ${info.version}`],
      ["Model", info.model],
      ["Architecture", info.architecture],
      ["Threshold", String(Number(info.threshold.toFixed(4)))],
      ["Runtime", info.runtime],
      ["Largest recording", `${limits.max_bytes / 1e6} MB, ${limits.max_seconds} s`],
      ["Longest request", `${limits.timeout_seconds} s`],
      ["Recordings at once", String(limits.max_uploads)],
    ]));
    await performance.show(info.embedded_model);
  } catch (error) {
    fail(error.message);
  }
}

tabs.start();
fileInput();
examples();
recording();
about();
