import { setTimeout as sleep } from "node:timers/promises";

type Nothing = undefined | null | false;

/**
 * Waits until `look` returns a value other than undefined, null or false; fails after `deadline` ms with the value
 * of `state`.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Nothing | Promise<T | Nothing>,
  { deadline = 15_000, state }: { deadline?: number; state?: () => unknown } = {},
): Promise<T> {
  const end = Date.now() + deadline;
  for (;;) {
    const seen = await condition();
    if (seen !== undefined && seen !== null && seen !== false) return seen;
    if (Date.now() > end) {
      throw new Error(`waited ${deadline} ms for ${what}; state: ${JSON.stringify(await state?.())}`);
    }
    await sleep(25);
  }
}
