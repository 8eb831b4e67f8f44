// A thread that takes locks on databases when it is told to, as a program of somebody else does, and holds each for a while.
import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";

const state = new Int32Array(workerData);
/** How each kind of lock is taken; what it is given back by is always the same. */
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
