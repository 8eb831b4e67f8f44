import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type { QueueStage } from "./queue-stage.ts";
import type { Finished } from "./run-command.ts";

export interface ProgramOptions {
  host?: string;
  areas?: string;
  /** What a person types at the terminal; without it there is none. */
  types?: string;
}

/**
 * Runs a command line on a stage in this process, which is many times faster than a process of its own. For commands
 * that ask Redis and do no work themselves.
 */
export async function runProgram(
  stage: QueueStage,
  args: readonly string[],
  { host = "hosta", areas = "", types }: ProgramOptions = {},
): Promise<Finished> {
  const { buildProgram } = await import("../../../producers/cli/commands/program.ts");
  const started = Date.now();
  const stream = () => Object.assign(new PassThrough(), { isTTY: types !== undefined, columns: 80 });
  const [stdin, stdout, stderr] = [stream(), stream(), stream()];
  if (types !== undefined) stdin.write(`${types}\n`);
  const elsewhere = () => Promise.reject(new Error("this test runs no job in its process"));
  const program = buildProgram({
    io: {
      env: {
        ...{ MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix },
        ...{ MTJOBS_HOST: host, MTJOBS_AREAS: areas },
      },
      cwd: stage.root,
      stdin: stdin as unknown as NodeJS.ReadStream,
      stdout: stdout as unknown as NodeJS.WriteStream,
      stderr: stderr as unknown as NodeJS.WriteStream,
      interrupt: new AbortController().signal,
    },
    version: "0.0.0",
    commandPath: "",
    runInline: elsewhere,
    runRepair: elsewhere,
    runWorker: elsewhere,
  });
  const code = await program.run(args);
  const ms = Date.now() - started;
  return { code, stdout: await ended(stdout), stderr: await ended(stderr), ms };
}

/** All that was written to a stream. `read` returns, as of Node 26, one write only. */
function ended(stream: PassThrough): Promise<string> {
  return text(stream.end());
}
