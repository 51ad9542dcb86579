// The programs under test, and the browser that looks at what they make.
import { spawn, execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const here = import.meta.dirname;
export const root = path.resolve(here, "../..");
export const speech = path.join(root, "tests/fixtures/speech.wav");
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");
const program = (name) => path.join(target, "debug/examples", name);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pictures = path.join(target, "browser");
mkdirSync(pictures, { recursive: true });

// The looks that every page is tried in.
export const LOOKS = [1280, 390].flatMap((width) => ["light", "dark"].map((scheme) => ({ width, scheme })));

// A running demo on a free port.
export async function startDemo() {
  const demo = spawn(program("demo"), ["--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const address = await new Promise((resolve, reject) => {
    let said = "";
    demo.stdout.on("data", (data) => {
      said += data;
      if (said.includes("\n")) resolve(said.split("\n")[0]);
    });
    demo.on("exit", (code) => reject(new Error(`the demo ended with ${code}`)));
  });
  return { address, stop: () => demo.kill() };
}

// What the example `score` does with these arguments.
export const score = (...args) => promisify(execFile)(program("score"), args, { cwd: root });

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-background-networking",
      // A microphone that plays a file.
      "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-audio-capture=${speech}`,
    ],
  });
}

// A page in one of the looks. What it complains of, and what it asks of other machines, is collected.
export async function open(browser, { width, scheme }, address) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, permissions: ["microphone"] });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => {
    // A recording is given back while its player may still read it.
    if (!request.url().startsWith("blob:")) complaints.push(`${request.url()}: ${request.failure()?.errorText}`);
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    const own = ["data:", "blob:", "file:"].includes(protocol) || origin === new URL(address).origin;
    if (!own) complaints.push(`asks ${request.url()}`);
  });
  await page.goto(address, { waitUntil: "networkidle" });
  return { page, complaints, close: () => context.close() };
}

// What axe finds to be in the way of people who don't see, hear or point.
export async function barriers(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
}

// Whether something sticks out at the side.
export const overflows = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

export const picture = (page, name, { width, scheme }) =>
  page.screenshot({ path: path.join(pictures, `${name}-${width}-${scheme}.png`), fullPage: true });
