// Runs on the browser's audio thread, and passes on what the microphone hears.

class Tap extends AudioWorkletProcessor {
  process([input]) {
    // The browser uses its buffer again, so a copy.
    if (input.length > 0) this.port.postMessage(input[0].slice());
    return true;
  }
}

registerProcessor("tap", Tap);
