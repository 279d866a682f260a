// What calls give: frozen entries with every field there, from the JSON that docs/decisions.md describes.

import { ConnectionFailed } from "./errors.js";

export function entryOf(result) {
  const { id, timestamp, session_id: sessionId, type, title } = objectOf(result);
  if ([id, timestamp, sessionId, type, title].some((value) => typeof value !== "string")) throw notUnderstood();
  const list = (value) => Object.freeze([...(value ?? [])]);
  return Object.freeze({
    id,
    timestamp,
    sessionId,
    type,
    title,
    body: result.body ?? "",
    tags: list(result.tags),
    fileRefs: list(result.file_refs),
    files: list(result.files?.map(({ repository, path }) => Object.freeze({ repository, path }))),
    alternatives: list(result.alternatives),
    outcome: result.outcome ?? "",
    resolves: list(result.resolves),
    supersedes: list(result.supersedes),
    place: placeOf(result.place),
    zone: result.zone ?? "",
    source: result.source ?? "",
  });
}

function placeOf(place) {
  if (place == null) return null;
  const { host, folder, repository } = place;
  return Object.freeze({ host, folder, repository });
}

export function entriesOf(result) {
  if (!Array.isArray(result)) throw notUnderstood();
  return result.map(entryOf);
}

export function foundOf(result) {
  const found = objectOf(result);
  if ("session_id" in found) {
    return Object.freeze({ kind: "session", sessionId: found.session_id, entries: entriesOf(found.entries) });
  }
  return Object.freeze({
    kind: "entry",
    entry: entryOf(found.entry),
    event: objectOf(found.event),
    resolvedBy: [...(found.resolved_by ?? [])],
    supersededBy: [...(found.superseded_by ?? [])],
  });
}

export function textOf(result) {
  if (typeof result !== "string") throw notUnderstood();
  return result;
}

function objectOf(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw notUnderstood();
  return value;
}

function notUnderstood() {
  return new ConnectionFailed("the agent's answer is not understood", { hint: "see: jilog agent status" });
}
