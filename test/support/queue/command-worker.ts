import { waitFor } from "../area/wait-for.ts";
import type { QueueStage } from "./queue-stage.ts";
import { type Running, startCommand } from "./run-command.ts";

/** The environment of a command of `hosta` on a stage. */
export const commandEnv = (stage: QueueStage, areas = stage.root) => ({
  MTJOBS_REDIS_URL: stage.url,
  MTJOBS_PREFIX: stage.prefix,
  MTJOBS_HOST: "hosta",
  MTJOBS_AREAS: areas,
});

/** A started `mtjobs worker`; resolves once it serves. */
export async function serveCommand(stage: QueueStage, args: string[] = []): Promise<Running> {
  const worker = startCommand(["worker", ...args], { env: commandEnv(stage) });
  await untilServing(worker);
  return worker;
}

export const untilServing = ({ stderr }: Pick<Running, "stderr">) =>
  waitFor("the worker to serve", () => stderr().includes("serving the queue"), {
    deadline: 20_000,
    state: stderr,
  });

export async function endCommand(worker: Running, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  worker.child.kill(signal);
  await worker.finished;
}
