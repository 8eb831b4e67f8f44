import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { builtProgram } from "../support/queue/built-program.ts";

/** Starts a program of this directory, and resolves once it says that it is ready. */
export async function startProgram(
  name: "farm-process" | "bare-worker",
  args: readonly string[],
  prefix: string,
): Promise<ChildProcess> {
  const program = builtProgram(`test/bench/${name}`);
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, MTJOBS_PREFIX: prefix },
  });
  await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, "data"),
    once(child, "exit").then(([code]) => {
      throw new Error(`${name} ended with ${code}`);
    }),
  ]);
  return child;
}

/** Ends a process that `startProgram` started, and resolves when it has ended. */
export async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

/** Resident memory, bytes; 0 without /proc. */
export function residentOf({ pid }: ChildProcess): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Processor time of all threads so far, seconds; undefined without /proc. Source: proc(5), `stat`. */
export function processorTimeOf({ pid }: ChildProcess): number | undefined {
  try {
    const [, fields = ""] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    const [user, system] = fields.split(" ").slice(11, 13).map(Number);
    // A hundred clock ticks a second, on every Linux that Node runs on.
    return ((user ?? 0) + (system ?? 0)) / 100;
  } catch {
    return undefined;
  }
}
