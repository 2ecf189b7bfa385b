/**
 * The messages of the wire, form 2, and their limits.
 *
 * A frame is one JSON object. `decode` gives a message or a typed failure for every text whatsoever; `encode` gives a
 * text that `decode` reads back. An operation that cannot be read does not fail its frame: it is returned as malformed,
 * with the reason, beside the others. Keys that this version does not know are ignored.
 */
export * from "./WireDecoding.ts"
export * from "./WireEncoding.ts"
export * from "./WireFrames.ts"
export * from "./WireMessages.ts"
