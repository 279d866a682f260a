// A stand-in for an agent that does what a test says: answers, hangs up, or says nothing at all.

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Instead of an answer: read the request, and keep the connection open. */
export const HANG = null;

/** Instead of an answer: read the request, and close the connection. */
export const HANG_UP = "";

/** Make a folder that is gone when the test is. */
export function folder(test) {
  const path = mkdtempSync(join(tmpdir(), "jilog-js-"));
  test.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Listen until the test ends: one connection for each answer (text, or a list of pieces), in order. */
export async function fakeAgent(test, ...answers) {
  const path = join(folder(test), "s.sock");
  const requests = [];
  const channels = new Set();
  const server = createServer((channel) => {
    channels.add(channel);
    const pieces = [];
    channel.on("error", () => {});
    channel.on("data", (data) => {
      pieces.push(data);
      if (data.at(-1) !== 0x0a) return;
      requests.push(JSON.parse(Buffer.concat(pieces).toString("utf8")));
      const answer = answers[requests.length - 1];
      if (answer === HANG) return;
      for (const piece of [answer].flat()) channel.write(piece);
      channel.end();
    });
  });
  await new Promise((resolve) => server.listen(path, resolve));
  test.after(() => {
    for (const channel of channels) channel.destroy();
    server.close();
  });
  return { path, requests };
}

export const ok = (result) => `${JSON.stringify({ id: 1, ok: true, result })}\n`;

export const refused = (code) =>
  `${JSON.stringify({ id: 1, ok: false, error: "it is so", code, hint: "do this" })}\n`;
