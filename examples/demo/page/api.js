// Talks to the program that serves this page.

async function json(response) {
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.error ?? `the answer was ${response.status}`);
  return answer;
}

async function ask(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the program that serves this page does not answer; is it still running?");
  }
}

export async function get(path) {
  return json(await ask(path));
}

export async function getBlob(path) {
  const response = await ask(path);
  if (!response.ok) throw new Error(`the answer was ${response.status}`);
  return response.blob();
}

export async function score(recording, signal) {
  // The type is found by content, and what a browser makes of a file's name plays no part.
  const headers = { "Content-Type": "application/octet-stream" };
  return json(await ask("/api/score", { method: "POST", headers, body: recording, signal }));
}
