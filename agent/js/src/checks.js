// Checks that a program runs and measures itself: evidence for `turn.record`, where a claim is only words.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:os";

import { InvalidArgument } from "./errors.js";

const TIMEOUT_MS = 3_600_000;
const TIMED_OUT_STATUS = 124;
/** After the command's end: for so long something that it left running may be silent and still be waited for. */
const SILENCE_MS = 200;
/** Standard error goes where standard output goes, so that both are hashed in the order in which they came. */
const JOINED = 'exec "$@" 2>&1';

/** Run a command in a folder and measure it; index.d.ts says what it takes and gives. */
export async function check(command, folder, { shell = false, timeoutMs = TIMEOUT_MS, onOutput, signal } = {}) {
  const words = wordsOf(command, shell);
  if (!(timeoutMs > 0)) throw new InvalidArgument(`timeoutMs is ${timeoutMs}`, { hint: "use some, such as 600000" });
  signal?.throwIfAborted();
  const ranAt = new Date().toISOString();
  const begun = performance.now();
  const digest = createHash("sha256");
  let bytes = 0;
  const take = (data) => {
    digest.update(data);
    bytes += data.length;
    onOutput?.(data);
  };
  const run = shell ? ["/bin/sh", "-c", ...words] : words;
  const { status, timedOut } = await ended(start(run, folder), { take, timeoutMs, signal, folder });
  signal?.throwIfAborted();
  return {
    command: words,
    shell,
    exit_status: timedOut ? TIMED_OUT_STATUS : status,
    timed_out: timedOut,
    duration_seconds: Math.round(performance.now() - begun) / 1000,
    output_sha256: digest.digest("hex"),
    output_bytes: bytes,
    ran_at: ranAt,
  };
}

function start(words, folder) {
  return spawn("/bin/sh", ["-c", JOINED, "sh", ...words], {
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
    // A group of its own, so that it is ended with all it has started.
    detached: true,
  });
}

/** Wait until the command has ended, by itself, by the clock or by the signal; its output is taken meanwhile. */
function ended(child, { take, timeoutMs, signal, folder }) {
  return new Promise((resolve, reject) => {
    let status = null;
    let timedOut = false;
    let silence;
    const stop = () => kill(child);
    const timer = setTimeout(() => {
      timedOut = true;
      stop();
    }, timeoutMs);
    signal?.addEventListener("abort", stop);
    const settle = (action) => {
      clearTimeout(timer);
      clearTimeout(silence);
      signal?.removeEventListener("abort", stop);
      child.stdout.removeAllListeners("data").destroy();
      action();
    };
    const done = () => settle(() => resolve({ status, timedOut }));
    const waitForSilence = () => {
      clearTimeout(silence);
      silence = setTimeout(done, SILENCE_MS);
    };
    child.stdout.on("data", (data) => {
      take(data);
      if (status !== null) waitForSilence();
    });
    child.on("exit", (code, name) => {
      status = code ?? 128 + constants.signals[name];
      waitForSilence();
    });
    child.on("close", done);
    child.on("error", (cause) =>
      settle(() => reject(new InvalidArgument(`cannot run a check in ${folder}: ${cause.code}`, { cause }))),
    );
  });
}

function kill(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function wordsOf(command, shell) {
  const words = shell ? [command] : command;
  const whole = Array.isArray(words) && words.every((word) => typeof word === "string");
  if (!whole || !words[0]?.trim()) {
    throw new InvalidArgument("a check is a list of words, or with shell: true one line", {
      hint: 'such as ["npm", "test"]',
    });
  }
  return words;
}
