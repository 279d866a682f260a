// The calls about turns: sessions begun and ended, turns recorded and read (docs/turns.md has the records).

import { randomUUID } from "node:crypto";

import { check } from "./checks.js";
import { ConnectionFailed, InvalidArgument } from "./errors.js";
import { checkText, texts, turn } from "./requests.js";

/** One client's calls; index.d.ts says what each takes and gives. */
export class TurnCalls {
  #call;
  #folder;

  constructor(call, folder) {
    this.#call = call;
    this.#folder = folder;
  }

  async start({ goal, ticket, parent, transcript, agent, confidential }) {
    if (!checkText("goal", goal).trim()) {
      throw new InvalidArgument("goal must not be empty", { hint: "say in one line what the session is for" });
    }
    const params = { goal, ticket, parent, transcript, agent, confidential };
    return part(await this.#ask("turn.start", params, randomUUID()), "session");
  }

  async check(command, options) {
    return check(command, this.#folder(), options);
  }

  async record({ summary = "", verification, evidence, attachDiff, ifDirty, messageId, autoStart, ...more } = {}) {
    const { session, model, agent, confidential } = more;
    const params = {
      summary: checkText("summary", summary),
      verification: texts("verification", verification),
      evidence,
      attach_diff: attachDiff,
      if_dirty: ifDirty,
      message_id: messageId,
      auto_start: autoStart,
      session,
      model,
      agent,
      confidential,
    };
    // The key counts as the message's id, so that a second try of this call finds the first.
    return part(await this.#ask("turn.record", params, messageId || randomUUID()), "turn");
  }

  async end({ summary, session, agent } = {}) {
    return part(await this.#ask("turn.end", { summary, session, agent }), "session_end");
  }

  async use(session, { agent } = {}) {
    return part(await this.#ask("turn.use", { session: checkText("session", session), agent }), "session").id;
  }

  async current({ agent } = {}) {
    return part(await this.#ask("turn.current", { agent }), "session");
  }

  async log({ everywhere, session, ticket, grep, changed } = {}) {
    return this.#ask("turn.log", { everywhere, session, ticket, grep, changed });
  }

  async show(id) {
    return this.#ask("turn.show", { id: checkText("id", id) });
  }

  async trace(name) {
    return this.#ask("trace", { id: checkText("name", name) });
  }

  #ask(method, params, key) {
    return this.#call(turn(method, { ...params, cwd: this.#folder() }, key));
  }
}

function part(result, name) {
  if (result === null || typeof result !== "object" || !(name in result)) {
    throw new ConnectionFailed("the agent's answer is not understood", { hint: "see: jilog agent status" });
  }
  return result[name];
}
