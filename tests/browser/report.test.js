// What `score --report` writes, as it is read: at a desk and on a phone, in the light and in the dark.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { LOOKS, barriers, launch, open, overflows, picture, score, speech } from "./programs.js";

let browser;
let folder;
let report;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "report-"));
  report = path.join(folder, "report.html");
  await score(speech, "--report", report);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true });
});

for (const look of LOOKS) {
  test(`at ${look.width} pixels, ${look.scheme}`, async () => {
    const { page, complaints, close } = await open(browser, look, pathToFileURL(report).href);
    assert.match(await page.locator("body").textContent(), /speech\.wav/);
    await picture(page, "report", look);
    assert.deepEqual(await barriers(page), []);
    assert.equal(await overflows(page), false);
    assert.deepEqual(complaints, []);
    await close();
  });
}
