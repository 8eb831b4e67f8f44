/**
 * A run's id as JSON has it: a number as far as every program reads it exactly, up to 2^53 - 1 either way; beyond that
 * its decimal digits as a string. SQLite's ids have 64 bits, and it hands out random ones once the largest is used.
 */
export type RunId = number | string;

/** The ends of SQLite's integers. */
export const lowestId = -(2n ** 63n);
export const highestId = 2n ** 63n - 1n;

/** An integer as JSON has it; see `RunId`. */
export function shownId(id: bigint): RunId {
  return id >= Number.MIN_SAFE_INTEGER && id <= Number.MAX_SAFE_INTEGER ? Number(id) : String(id);
}

/** Decimal digits without needless zeros, as many as 64 bits may have. */
export const idDigits = /^(0|-?[1-9]\d{0,18})$/;

/** True for an integer of 64 bits in such digits. */
export function isIdText(text: string): boolean {
  if (!idDigits.test(text)) return false;
  const id = BigInt(text);
  return id >= lowestId && id <= highestId;
}
