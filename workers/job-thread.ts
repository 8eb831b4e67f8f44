// The entry of a jobs' thread. Started by job-threads.ts, never imported.
import { runJob } from "./run-job.ts";
import { serveJobs } from "./serve-jobs.ts";

serveJobs(runJob, process.env);
