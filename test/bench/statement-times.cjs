// Loaded before a command (`node --require`): writes what each of its threads does, and how long its statements take, to
// files in MTJOBS_TEST_PROFILE. A bundle loads better-sqlite3 by its name, so its own copy is changed.
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { threadId } = require("node:worker_threads");

const directory = process.env.MTJOBS_TEST_PROFILE;
const Database = require("better-sqlite3");
const times = new Map();

function timed(of, name, sqlOf) {
  const method = of[name];
  of[name] = function (...args) {
    const begun = performance.now();
    try {
      return method.apply(this, args);
    } finally {
      const sql = sqlOf(this, args);
      times.set(sql, (times.get(sql) ?? 0) + performance.now() - begun);
    }
  };
}

const statement = Object.getPrototypeOf(new Database(":memory:").prepare("SELECT 1"));
for (const name of ["run", "get", "all"]) timed(statement, name, (self) => self.source);
timed(Database.prototype, "exec", (_, [sql]) => sql);

const begun = performance.now();
function write() {
  const { active } = performance.eventLoopUtilization();
  const { user, system } = process.threadCpuUsage();
  const ms = { total: performance.now() - begun, active, running: (user + system) / 1000 };
  writeFileSync(join(directory, `${threadId}.json`), JSON.stringify({ ms, times: [...times] }));
}
// A thread may be ended without notice.
setInterval(write, 100).unref();
process.on("exit", write);
