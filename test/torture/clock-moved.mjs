// Loaded before a worker's own code, in each of its threads: its clock is another one from a moment on.
const [byMs, fromMs] = (process.env.MTJOBS_TEST_CLOCK ?? "0,0").split(",").map(Number);
const right = Date.now.bind(Date);
Date.now = () => (right() < fromMs ? right() : right() + byMs);
