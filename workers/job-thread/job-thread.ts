// The entry of a job thread. Started by job-threads.ts, never imported.
import { jobTable } from "./job-table.ts";
import { serveJobs } from "./serve-jobs.ts";

serveJobs(jobTable, process.env);
