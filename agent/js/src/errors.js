// What a call can end in. `hint` is the next thing to try, `code` of a refusal is for programs (docs/socket.md).

/** Anything that a call can end in but its result. */
export class JilogSdkError extends Error {
  constructor(message, { hint = null, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.hint = hint;
  }
}

/** The agent cannot be reached, or went away before it answered. */
export class ConnectionFailed extends JilogSdkError {}

/** There is no socket, so no agent runs. */
export class AgentNotRunning extends ConnectionFailed {}

/** There was no whole answer in time. A write may have happened: the same `id` again is safe. */
export class RequestTimeout extends JilogSdkError {}

/** The request was understood and turned down. */
export class Refused extends JilogSdkError {
  constructor(message, { hint, cause, code = "error" } = {}) {
    super(message, { hint, cause });
    this.code = code;
  }
}

/** An argument cannot be meant: a type that is none, an id that nothing has or that is taken. */
export class InvalidArgument extends Refused {
  constructor(message, { hint, cause, code = "invalid_params" } = {}) {
    super(message, { hint, cause, code });
  }
}

/** Somebody else holds what this needs; try again. */
export class Busy extends Refused {}

/** Bytes in the ledger are not what their checksums say. */
export class Damaged extends Refused {}

/** The disk refused, or is too full for the agent to take events. */
export class StorageRefused extends Refused {}

const BY_CODE = new Map([
  ["invalid_params", InvalidArgument],
  ["conflict", InvalidArgument],
  ["not_found", InvalidArgument],
  ["busy", Busy],
  ["integrity", Damaged],
  ["storage", StorageRefused],
]);

/** Give the error that a code stands for. */
export function refusal(code, message, hint) {
  const kind = BY_CODE.get(code) ?? Refused;
  return new kind(message, { hint, code });
}
