/**
 * Loads a job's code before the tests: StrykerJS runs, for a change in what a module computes when it is loaded, every
 * test, but only if no test loads it.
 */
import "../../workers/job-thread/job-table.ts";
