// Records the microphone as samples: MediaRecorder knows only formats that the detector doesn't decode.
import { wav } from "./wav.js";

// What cleans a voice for calls also changes what the detector listens to.
const UNTOUCHED = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

export const available = () => Boolean(navigator.mediaDevices?.getUserMedia && window.AudioWorkletNode);

export async function record(seconds, heard) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: UNTOUCHED });
  const context = new AudioContext();
  const close = () => {
    stream.getTracks().forEach((track) => track.stop());
    return context.close();
  };
  try {
    await context.audioWorklet.addModule("/tap.js");
    await context.resume();
  } catch (error) {
    await close();
    throw error;
  }
  const rate = context.sampleRate;
  const most = seconds * rate;
  const pieces = [];
  let length = 0;
  const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  tap.port.onmessage = ({ data }) => {
    if (length + data.length > most) return;
    pieces.push(data);
    length += data.length;
    heard({ seconds: length / rate, peak: Math.max(...data.map(Math.abs)), full: length + data.length > most });
  };
  context.createMediaStreamSource(stream).connect(tap);
  return {
    async stop() {
      tap.port.onmessage = null;
      await close();
      return wav(pieces, rate);
    },
  };
}

export function explain(error) {
  switch (error.name) {
    case "NotAllowedError":
      return "the microphone was not allowed; the browser’s settings for this page can change that";
    case "NotFoundError":
      return "there is no microphone";
    case "NotReadableError":
      return "another program has the microphone";
    default:
      return error.message;
  }
}
