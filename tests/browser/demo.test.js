// The demo's page, as people use it: at a desk and on a phone, in the light and in the dark.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { LOOKS, barriers, launch, open, overflows, picture, speech, startDemo } from "./programs.js";

let browser;
let demo;
before(async () => {
  demo = await startDemo();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  demo?.stop();
});

// What the program itself says of the recording.
async function expected() {
  const answer = await fetch(`${demo.address}/api/score`, {
    method: "POST",
    headers: { "Content-Type": "audio/wav" },
    body: await readFile(speech),
  });
  return answer.json();
}

const tile = (page, name) => page.locator(".tiles > div", { has: page.getByText(name, { exact: true }) }).locator("dd");

for (const look of LOOKS) {
  test(`at ${look.width} pixels, ${look.scheme}`, async (t) => {
    const { page, complaints, close } = await open(browser, look, demo.address);

    await t.test("a file is scored", async () => {
      await page.setInputFiles("#file", speech);
      await page.locator("#result .verdict").waitFor();
      const score = await expected();
      assert.equal(await tile(page, "P(spoof)").textContent(), score.spoof_probability.toFixed(4));
      assert.equal(await page.locator("#result-heading").textContent(), "speech.wav");
      assert.equal(await page.locator(".chart line.window").count(), score.windows.length);
      assert.equal(await page.locator("#error").isVisible(), false);
      await picture(page, "file", look);
      assert.deepEqual(await barriers(page), []);
      assert.equal(await overflows(page), false);
    });

    await t.test("the microphone is recorded and scored", async () => {
      await page.getByRole("button", { name: "Record", exact: true }).click();
      await page.locator("#timer", { hasText: /0:0[5-9]/ }).waitFor();
      await picture(page, "recording", look);
      await page.getByRole("button", { name: "Stop and score" }).click();
      await page.locator("#result-heading", { hasText: "Your recording" }).waitFor();
      const seconds = Number.parseFloat(await tile(page, "Length").textContent());
      assert.ok(seconds >= 4.5 && seconds < 60, `${seconds} s`);
      // It is the file's voice that the microphone played, and not silence.
      assert.doesNotMatch(await page.locator("#result .verdict").textContent(), /no speech/i);
      assert.deepEqual(await barriers(page), []);
    });

    await t.test("the examples are scored", async () => {
      for (const name of ["A person", "A machine"]) {
        await page.getByRole("button", { name, exact: true }).click();
        await page.locator("#result-heading", { hasText: `Example: ${name.toLowerCase()}` }).waitFor();
      }
      await picture(page, "example", look);
    });

    await t.test("what is no audio is turned down in words", async () => {
      await page.setInputFiles("#file", { name: "letter.txt", mimeType: "text/plain", buffer: Buffer.from("Dear Sir or Madam") });
      await page.locator("#error").waitFor();
      assert.match(await page.locator("#error").textContent(), /^That did not work: /);
      assert.equal(await page.locator("#result").isVisible(), false);
      assert.deepEqual(await barriers(page), []);
      // The browser itself tells of the answer 4xx.
      const [said, ...more] = complaints.splice(0);
      assert.match(said, /the server responded with a status of 4\d\d/);
      assert.deepEqual(more, []);
    });

    await t.test("every tab can be reached by keyboard, and read", async () => {
      await page.getByRole("tab", { name: "Try it" }).focus();
      for (const name of ["Performance", "How it works", "Limits"]) {
        await page.keyboard.press("ArrowRight");
        assert.equal(await page.getByRole("tab", { name, selected: true }).count(), 1);
        assert.equal(await page.getByRole("tabpanel").count(), 1);
        assert.deepEqual(await barriers(page), []);
        assert.equal(await overflows(page), false);
        await picture(page, name.toLowerCase().replaceAll(" ", "-"), look);
      }
    });

    await t.test("measured and published figures are told apart", async () => {
      await page.getByRole("tab", { name: "Performance" }).click();
      assert.match(await page.locator("#measured table").textContent(), /\d\s%/);
      assert.match(await page.locator("#published table").textContent(), /5\.55\s%/);
      assert.match(await page.locator("#published-heading").textContent(), /published, not measured here/);
    });

    assert.deepEqual(complaints, []);
    await close();
  });
}
