import type { ChildProcess } from "node:child_process";

export interface Ended {
  /** Exit code, or the name of the signal that ended it. */
  code: number | string;
  stdout: string;
  stderr: string;
}

export interface Output {
  stdout(): string;
  stderr(): string;
  ended: Promise<Ended>;
}

/** Collects a process's output until it ends. If it cannot be started, `stderr` is Node's error. */
export function collectOutput(child: ChildProcess): Output {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("error", (error) => resolve({ code: "unknown", stdout, stderr: error.message }));
    child.on("close", (code, signal) => resolve({ code: code ?? signal ?? "unknown", stdout, stderr }));
  });
  return { stdout: () => stdout, stderr: () => stderr, ended };
}
