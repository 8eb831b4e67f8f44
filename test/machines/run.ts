import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../support/area.ts";
import { collectOutput } from "../support/queue.ts";

/** Runs a program that must succeed; resolves to its output without the end of the last line. */
export async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { code, stdout, stderr } = await collectOutput(child).ended;
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${stderr.slice(-3000)}`);
  return stdout.trimEnd();
}

const began = performance.now();

/** Prints what the campaign does, with the seconds since its beginning. */
export function say(text: string): void {
  console.log(`${Math.round((performance.now() - began) / 1000)} s: ${text}`);
}

/** Does a piece of work, and prints how long it took. */
export async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    say(`${what}: took ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}

/** Waits for a condition that costs a machine much to look at, so that it looks every few seconds only. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  { deadline, state }: { deadline: number; state: () => unknown },
): Promise<void> {
  const look = async () => {
    await sleep(2_000);
    return await condition();
  };
  await waitFor(what, look, { deadline, state });
}
