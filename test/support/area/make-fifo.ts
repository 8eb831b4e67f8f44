import { execFileSync } from "node:child_process";

/** Creates a FIFO. */
export function makeFifo(path: string): void {
  execFileSync("mkfifo", [path]);
}
