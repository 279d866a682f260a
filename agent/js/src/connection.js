// One request over the socket, within a deadline.

import { createConnection } from "node:net";

import { ConnectionFailed, JilogSdkError, RequestTimeout } from "./errors.js";
import { ReplyReader } from "./wire.js";

/** The moment until which an answer counts. */
export class Deadline {
  constructor(milliseconds) {
    this.milliseconds = milliseconds;
    this.end = performance.now() + milliseconds;
  }

  get remaining() {
    return Math.max(1, Math.ceil(this.end - performance.now()));
  }

  passed() {
    return new RequestTimeout(`the agent did not answer within ${this.milliseconds / 1000} seconds`, {
      hint: "see: jilog agent status; a write may be tried again with the same id",
    });
  }
}

/**
 * Connect to the agent.
 * @throws {ConnectionFailed} nobody listens there
 */
export function connect(path, deadline) {
  return limited(deadline, (succeed, fail) => {
    const channel = createConnection({ path });
    channel.on("error", (cause) =>
      fail(
        new ConnectionFailed(`cannot connect to ${path}: ${cause.code ?? cause.message}`, {
          hint: "start it: jilog agent start",
          cause,
        }),
      ),
    );
    channel.on("connect", () => succeed(channel));
    return () => channel.destroy();
  });
}

/**
 * Send a request and read its reply; the channel is closed afterwards.
 * @throws {ConnectionFailed} the agent went away, and whether it acted is not known
 */
export async function exchange(channel, line, deadline) {
  const reader = new ReplyReader();
  try {
    return await limited(deadline, (succeed, fail) => {
      const ended = (cause) => fail(new ConnectionFailed("the agent went away before it answered", { cause }));
      channel.on("data", (data) => {
        try {
          const reply = reader.feed(data);
          if (reply) succeed(reply);
        } catch (error) {
          fail(error);
        }
      });
      channel.on("error", ended);
      channel.on("close", () => ended());
      if (channel.destroyed) ended();
      // An agent that turns a client away does not read, but what it says is read all the same.
      else channel.write(line);
    });
  } finally {
    channel.destroy();
  }
}

/** Make a promise that fails at the deadline; `begin` may return what then undoes its work. */
export function limited(deadline, begin) {
  return new Promise((resolve, reject) => {
    let undo;
    const timer = setTimeout(() => {
      undo?.();
      reject(deadline.passed());
    }, deadline.remaining);
    const settle = (action) => (value) => {
      clearTimeout(timer);
      action(value);
    };
    const fail = settle(reject);
    try {
      undo = begin(settle(resolve), fail);
    } catch (error) {
      fail(error instanceof JilogSdkError ? error : new ConnectionFailed(String(error), { cause: error }));
    }
  });
}
