import type { MtJobs } from "../../../entry/library.ts";
import type { QueueStage } from "./queue-stage.ts";

export async function withLibrary(stage: QueueStage, body: (mtjobs: MtJobs) => Promise<void>): Promise<void> {
  const { MtJobs } = await import("../../../entry/library.ts");
  const mtjobs = new MtJobs({ redisUrl: stage.url, prefix: stage.prefix, host: "hosta" });
  try {
    await body(mtjobs);
  } finally {
    await mtjobs.close();
  }
}
