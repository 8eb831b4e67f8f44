import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { builtFile } from "../../../shared/process.ts";
import { collectOutput, type Ended } from "./collect-output.ts";

/** The path of the built command. */
export const builtCommand = fileURLToPath(builtFile("entry/mtjobs.js"));

export interface Finished extends Ended {
  /** Milliseconds from start to end. */
  ms: number;
}

export interface Running {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  finished: Promise<Finished>;
}

export interface CommandOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Numbers of another user and group that it runs as; root alone may say so. */
  uid?: number;
  gid?: number;
  /** Another copy of the built command. */
  command?: string;
}

/** Starts the built command with nothing of this process's environment but PATH. */
export function startCommand(
  args: readonly string[],
  { env = {}, cwd = "/", command = builtCommand, ...user }: CommandOptions = {},
): Running {
  const started = Date.now();
  const child = spawn(process.execPath, [command, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...user,
  });
  const { stdout, stderr, ended } = collectOutput(child);
  const finished = ended.then((end) => ({ ...end, ms: Date.now() - started }));
  return { child, stdout, stderr, finished };
}

/** Runs the built command to its end. */
export function runCommand(args: readonly string[], options?: CommandOptions): Promise<Finished> {
  return startCommand(args, options).finished;
}

/** The one JSON document on stdout; fails if it has anything else. */
export function documentOf({ stdout, stderr }: Finished): Record<string, unknown> {
  try {
    return JSON.parse(stdout) as Record<string, unknown>;
  } catch {
    throw new Error(`stdout is not one JSON document: ${stdout}\nstderr: ${stderr}`);
  }
}

/** The code of the error a `--json` run printed. */
export function errorCodeOf(finished: Finished): unknown {
  return (documentOf(finished).error as { code?: unknown } | undefined)?.code;
}
