/**
 * A number up to 2^53 - 1 either way, which every program reads exactly; beyond that a string. SQLite's ids have 64
 * bits, and are random once the largest is used.
 */
export type RunId = number | string;

export const lowestId = -(2n ** 63n);
export const highestId = 2n ** 63n - 1n;

/** Formats an id as `RunId`. */
export function shownId(id: bigint): RunId {
  return id >= Number.MIN_SAFE_INTEGER && id <= Number.MAX_SAFE_INTEGER ? Number(id) : String(id);
}

/** Decimal digits without leading zeros, up to the length of 64 bits. */
export const idDigits = /^(0|-?[1-9]\d{0,18})$/;

export function isIdText(text: string): boolean {
  if (!idDigits.test(text)) return false;
  const id = BigInt(text);
  return id >= lowestId && id <= highestId;
}
