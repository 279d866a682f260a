// jilog for programs in JavaScript and TypeScript: write entries, and find them again (docs/sdk.md).

import { Client } from "./src/client.js";

export { Client };
export {
  AgentNotRunning,
  Busy,
  ConnectionFailed,
  Damaged,
  InvalidArgument,
  JilogSdkError,
  Refused,
  RequestTimeout,
  StorageRefused,
} from "./src/errors.js";

let client;

/** Give the client behind the module's functions; the environment of its first use counts. */
export function defaultClient() {
  client ??= new Client();
  return client;
}

export const write = (entry) => defaultClient().write(entry);
export const query = (text, options) => defaultClient().query(text, options);
export const log = (options) => defaultClient().log(options);
export const context = (options) => defaultClient().context(options);
export const contextEntries = (options) => defaultClient().contextEntries(options);
export const blame = (path, options) => defaultClient().blame(path, options);
export const show = (id, options) => defaultClient().show(id, options);

const exportDocument = (options) => defaultClient().export(options);
export { exportDocument as export };
