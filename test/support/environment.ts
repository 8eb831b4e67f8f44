/** One environment variable that only tests read. */
interface Variable {
  meaning: string;
  /** Its value if it is not set; "" if the test has a default of its own, which the meaning states. */
  fallback: string;
}

/**
 * All environment variables that only tests read, and the one place that reads them. Product variables such as
 * MTJOBS_REDIS_URL are not among them.
 */
export const variables = {
  MTJOBS_FAULTS: { meaning: "`all`: every case of the long tests, not one of each kind", fallback: "" },
  MTJOBS_INSTALLS: {
    meaning: "`all`: install the package with each Node and npm, not only these",
    fallback: "",
  },
  MTJOBS_LIMITS: { meaning: "`full`: areas of the largest size, not a hundredth of it", fallback: "" },
  MTJOBS_IMAGE: { meaning: "`yes`: build the container image and try it", fallback: "" },
  MTJOBS_MACHINES: { meaning: "`yes`: start virtual machines, with systemd and NFS", fallback: "" },
  MTJOBS_MACHINES_CACHE: {
    meaning: "directory that keeps their disk and the tarball; by default ~/.cache/mtjobs-machines",
    fallback: "",
  },
  MTJOBS_RECORD: { meaning: "`yes`: write the measured figures to docs/figures", fallback: "" },
  MTJOBS_SEED: { meaning: "seed of the property tests", fallback: "20240611" },
  MTJOBS_SEQUENCES: { meaning: "sequences of a property test; by default 10 or 12", fallback: "" },
  MTJOBS_TORTURE_MINUTES: { meaning: "how long the torture test runs; 0: one round", fallback: "0" },
  MTJOBS_TORTURE_SEED: { meaning: "seed of its plan", fallback: "1" },
  MTJOBS_POWERCUT_MINUTES: {
    meaning: "how long power failures are simulated; 0: a few of each scenario",
    fallback: "0",
  },
  MTJOBS_POWERCUT_SEED: { meaning: "seed of their moments", fallback: "1" },
  MTJOBS_POWERCUT_REPLAY: { meaning: "directory of a kept recording: replay that one only", fallback: "" },
  MTJOBS_STORIES_MINUTES: { meaning: "how long stories are played; 0: eight of them", fallback: "0" },
  MTJOBS_STORIES_SEED: { meaning: "seed of the first story; the next one has the next", fallback: "1" },
  MTJOBS_PAGES: { meaning: "`all`: test every page in the browser", fallback: "" },
  SCREENSHOTS: { meaning: "directory for the pictures of the page", fallback: "" },
  MTJOBS_TEST_THREAD: { meaning: "set by a test for its worker: URL of the job thread", fallback: "" },
  MTJOBS_TEST_TIMES: {
    meaning: "set by a test for its worker: options in JSON, shorter times",
    fallback: "{}",
  },
  MTJOBS_TEST_POLICY_SCAN_MS: {
    meaning: "set by a test for its worker: how often it reads [reduce-records], ms",
    fallback: "",
  },
  MTJOBS_TEST_PROFILE: {
    meaning: "set by the bench for a command: directory for the times of its statements",
    fallback: "",
  },
  MTJOBS_TEST_CLOCK: {
    meaning: "set by the torture test for a worker: `BY,FROM`, its clock jumps by BY ms at the time FROM",
    fallback: "0,0",
  },
} as const satisfies Record<string, Variable>;

/** Returns the value of a variable, or its fallback. */
export function variable(name: keyof typeof variables): string {
  return process.env[name] ?? variables[name].fallback;
}
