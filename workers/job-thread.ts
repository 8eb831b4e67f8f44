// The entry of a job's thread. Started by run-in-thread.ts, never imported.
import { runJob } from "./run-job.ts";
import { serveJob } from "./serve-job.ts";

await serveJob(runJob, process.env);
