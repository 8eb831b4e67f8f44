// Loaded before a worker's own code, in each of its threads: its clock is another one from a moment on.
import { variable } from "../support/environment.ts";

const [byMs, fromMs] = variable("MTJOBS_TEST_CLOCK").split(",").map(Number);
const right = Date.now.bind(Date);
Date.now = () => (right() < fromMs ? right() : right() + byMs);
