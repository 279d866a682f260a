// The client: asks the agent of a home or, where none runs, the command `jilog`.

import { randomUUID } from "node:crypto";
import { resolve } from "node:path";

import { answer } from "./command.js";
import { Deadline, connect, exchange } from "./connection.js";
import { entriesOf, entryOf, foundOf, textOf } from "./entry.js";
import { ConnectionFailed, InvalidArgument } from "./errors.js";
import { newEntryId } from "./identifiers.js";
import { checkSocket, findHome, socketPathOf } from "./paths.js";
import * as requests from "./requests.js";
import { TurnCalls } from "./turns.js";
import { requestLine, resultOf } from "./wire.js";

const TIMEOUT_MS = 30_000;

/** One home to write to and to read from; index.d.ts says what each option and method means. */
export class Client {
  #session;
  #cwd;
  #given;
  #timeoutMs;
  #fallback;
  #command;

  constructor({ home, socketPath, timeoutMs = TIMEOUT_MS, session, cwd, fallback, command = ["jilog"] } = {}) {
    if (!(timeoutMs > 0)) throw new InvalidArgument(`timeoutMs is ${timeoutMs}`, { hint: "use some, such as 30000" });
    this.home = findHome(home, process.env);
    this.socketPath = socketPath ?? socketPathOf(this.home);
    this.#given = socketPath !== undefined;
    this.#timeoutMs = timeoutMs;
    this.#session = session ?? null;
    this.#cwd = cwd === undefined ? null : resolve(cwd);
    this.#fallback = fallback ?? !this.#given;
    this.#command = command;
    this.turn = new TurnCalls(
      (request) => this.#call(request),
      () => this.#folder(),
    );
  }

  get sessionId() {
    return this.#session;
  }

  async write(entry) {
    // An id that was made here is in nobody's way; one that was given may be there already.
    const fresh = !entry.id;
    const id = fresh ? newEntryId() : entry.id;
    const session = entry.session || this.#ownSession();
    return entryOf(await this.#call(requests.write(entry, { session, id, fresh, cwd: this.#folder() }))).id;
  }

  async query(text, options = {}) {
    return entriesOf(await this.#call(requests.query(text, options, this.#folder())));
  }

  async log(options = {}) {
    return entriesOf(await this.#call(requests.log(options, this.#folder())));
  }

  async context(options = {}) {
    return textOf(await this.#call(requests.context(options, this.#folder(), { text: true })));
  }

  async contextEntries(options = {}) {
    return entriesOf(await this.#call(requests.context(options, this.#folder(), { text: false })));
  }

  async export(options = {}) {
    const text = textOf(await this.#call(requests.exportDocument(options, this.#folder())));
    return `${text.replace(/\n+$/, "")}\n`;
  }

  async blame(path, { limit = 0, zone } = {}) {
    requests.checkNumber("limit", limit, 0);
    const entries = entriesOf(await this.#call(requests.blame(path, { zone }, this.#folder()))).reverse();
    return limit ? entries.slice(0, limit) : entries;
  }

  async show(id, { zone } = {}) {
    return foundOf(await this.#call(requests.show(id, { zone })));
  }

  #folder() {
    return this.#cwd ?? process.cwd();
  }

  #ownSession() {
    this.#session ??= process.env.JILOG_SESSION || randomUUID();
    return this.#session;
  }

  /** Ask the agent, a second time when it goes away in the middle: every request may be repeated. */
  async #call(request) {
    const deadline = new Deadline(this.#timeoutMs);
    for (let last = false; ; last = true) {
      let channel;
      try {
        checkSocket(this.socketPath, { given: this.#given });
        channel = await connect(this.socketPath, deadline);
      } catch (error) {
        if (!this.#fallback || !(error instanceof ConnectionFailed)) throw error;
        return answer(this.#command, this.home, request, deadline);
      }
      try {
        return resultOf(await exchange(channel, requestLine(request), deadline));
      } catch (error) {
        if (last || !(error instanceof ConnectionFailed)) throw error;
        request = requests.again(request);
      }
    }
  }
}
