import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import { waitFor } from "../area/wait-for.ts";
import { isStopped } from "./kill.ts";
import { type Running, startCommand } from "./run-command.ts";

/** Starts a reduce in a process that stops (SIGSTOP) the first time it passes `step`. */
export async function stoppedReduce(area: SampleArea, step: FailpointName): Promise<Running> {
  const job = startCommand(["reduce", area.directory, "--runname", "%", "--inline", "--json"], {
    env: {
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
      MTJOBS_FAILPOINT: `${step}=stop`,
    },
  });
  await waitFor(`the job to stop at ${step}`, () => isStopped(job.child.pid), { state: job.stderr });
  return job;
}
