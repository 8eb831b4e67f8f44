import { userInfo } from "node:os";
import { join } from "node:path";
import {
  buildArea,
  type SampleArea,
  type SampleAreaOptions,
} from "../../../producers/demo/sample-area/build-area.ts";
import { builtThreadUrl } from "../../../workers/job-thread/job-threads.ts";
import type { QueueStage, WorkerProcess } from "./queue-stage.ts";

const user = userInfo().username;

/** Builds a complete area on the stage, at home on hostA. */
export function realArea(stage: QueueStage, options: Partial<SampleAreaOptions>): SampleArea {
  const cacheRoot = join(stage.root, "cache");
  return buildArea({
    directory: join(stage.root, "a1"),
    cacheRoot,
    user,
    host: "hostA",
    ...options,
  } as SampleAreaOptions);
}

export async function realWorker(stage: QueueStage, area: SampleArea): Promise<WorkerProcess> {
  return await stage.worker("hostA", {
    MTJOBS_CACHE_ROOT: area.cacheRoot,
    MTJOBS_USER: area.user,
    MTJOBS_TEST_THREAD: builtThreadUrl().href,
  });
}
