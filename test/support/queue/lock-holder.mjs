// A thread that takes database locks on request, as another program does, and holds each for a while.
import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";

const state = new Int32Array(workerData);
/** Statements that take each kind of lock; ROLLBACK releases all of them. */
const statements = {
  exclusive: ["BEGIN EXCLUSIVE"],
  writing: ["BEGIN IMMEDIATE"],
  reading: ["BEGIN", "SELECT count(*) FROM sqlite_schema"],
};

parentPort.on("message", ({ file, kind, ms, timeout }) => {
  const db = new Database(file, { fileMustExist: true, timeout });
  let isTaken = true;
  try {
    for (const sql of statements[kind]) {
      if (sql.startsWith("SELECT")) db.prepare(sql).get();
      else db.exec(sql);
    }
  } catch (error) {
    if (!error.code?.startsWith("SQLITE_BUSY")) throw error;
    isTaken = false;
  }
  Atomics.store(state, 0, isTaken ? 1 : 2);
  Atomics.notify(state, 0);
  if (isTaken) {
    Atomics.wait(state, 1, 0, ms);
    db.exec("ROLLBACK");
  }
  db.close();
});
