// The socket's lines, as a client writes and reads them: no IO here (docs/socket.md).

import { ConnectionFailed, refusal } from "./errors.js";

const LINE_FEED = 0x0a;
const HINT = "see: jilog agent status";

/** What is held of one reply at most: near the longest text that V8 can hold. */
const REPLY_BYTES_MAX = 512 * 1024 * 1024;

/** Write a request. Each connection carries one, so its id does not matter. */
export function requestLine({ method, params, key }) {
  return JSON.stringify({ id: 1, version: 1, method, params, idempotency_key: key }) + "\n";
}

/** Puts one reply together from whatever pieces the socket gives. */
export class ReplyReader {
  #pieces = [];
  #parts = [];
  #bytes = 0;

  /** Take bytes; give the reply once it is whole, else null. */
  feed(data) {
    this.#bytes += data.length;
    if (this.#bytes > REPLY_BYTES_MAX) {
      throw new ConnectionFailed(`the answer is longer than ${REPLY_BYTES_MAX} bytes`, { hint: "use a limit" });
    }
    let start = 0;
    for (let end = data.indexOf(LINE_FEED); end !== -1; end = data.indexOf(LINE_FEED, start)) {
      this.#pieces.push(data.subarray(start, end));
      start = end + 1;
      const reply = this.#take(parsed(Buffer.concat(this.#pieces).toString("utf8")));
      this.#pieces = [];
      if (reply) return reply;
    }
    this.#pieces.push(data.subarray(start));
    return null;
  }

  #take(document) {
    if (typeof document.part === "string") {
      this.#parts.push(document.part);
      return null;
    }
    return "parts" in document ? parsed(this.#parts.join("")) : document;
  }
}

/**
 * Give a reply's result.
 * @throws {Refused} the agent said no
 */
export function resultOf(reply) {
  if (reply.ok === true) return reply.result;
  throw refusal(String(reply.code ?? "error"), String(reply.error ?? "refused"), reply.hint ?? null);
}

function parsed(text) {
  try {
    const document = JSON.parse(text);
    if (document !== null && typeof document === "object" && !Array.isArray(document)) return document;
  } catch {
    // said below
  }
  throw new ConnectionFailed("what came from the socket is not an agent's answer", { hint: HINT });
}
