import { fork } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import type { FullDbOptions } from "../../../producers/full-db/full-db.ts";
import type { ReadFiles } from "../../../producers/full-db/locate.ts";
import { builtProgram } from "./built-program.ts";

export interface Counted {
  rounds: number;
  /** The first results that differed from the initial ones. */
  wrong: { sql: string; expected: string; answer: string }[];
  /** How many results differed. */
  times: number;
  /** The numbers of runs that it saw in the main database. */
  runsOnMain: number[];
}

/** Repeats queries in full-db mode without a pause, in another process; the first results are the expected ones. */
export async function countMeanwhile(
  files: ReadFiles,
  queries: readonly string[],
  options: FullDbOptions = {},
): Promise<{ stop(): Promise<Counted> }> {
  const script = builtProgram("test/support/queue/count-meanwhile");
  const child = fork(script, [JSON.stringify({ files, queries, options })]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const first = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (first[0] !== "ready") throw new Error(`the reader ended: ${JSON.stringify(first)}`);
  return {
    stop: async () => {
      const answer = Promise.race([once(child, "message"), once(child, "exit")]);
      if (child.connected) child.send("stop");
      const [counted] = await answer;
      if (typeof counted !== "object" || counted === null)
        throw new Error(`the reader ended: ${String(counted)}`);
      return counted as Counted;
    },
  };
}
