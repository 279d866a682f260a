// Ids that are made here, so that a write can be tried again without happening twice.

import { randomBytes } from "node:crypto";

/** Make a UUID of version 7 (RFC 9562, section 5.7): milliseconds, then random bits. */
export function newEntryId(milliseconds = Date.now()) {
  const raw = randomBytes(16);
  raw.writeUIntBE(milliseconds, 0, 6);
  raw[6] = (raw[6] & 0x0f) | 0x70;
  raw[8] = (raw[8] & 0x3f) | 0x80;
  const text = raw.toString("hex");
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}
